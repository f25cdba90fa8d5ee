"""Feature flags and pauses: `models` · `rules` (pure) · `queries` · `service`."""
