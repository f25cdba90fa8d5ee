"""Integration API keys: `models` (the table) · `token` (the shape of a key) · `queries` · `service`."""
