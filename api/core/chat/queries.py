"""SQL of chat."""
