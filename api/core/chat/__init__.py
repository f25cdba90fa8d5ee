"""Conversations between a founder and one person: `models` · `queries` · `service`."""
