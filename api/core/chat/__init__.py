"""Conversations between a founder and one person.

`models` tables · `rules` what a message may hold · `token` who speaks from a partner's page · `queries` SQL ·
`service` speaking and reading
"""
