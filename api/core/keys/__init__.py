"""Integration API keys.

`models` the table · `token` the shape of a key · `rules` pure decisions · `queries` SQL · `service` mint,
recognise, list · `rotation` rotate and revoke
"""
