"""Signed webhooks to partners: `models` · `signing` (pure) · `queries` · `service`."""
