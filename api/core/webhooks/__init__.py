"""Signed webhooks to partners: `models` · `signing` (pure) · `queries` · `secrets` (rotation)."""
