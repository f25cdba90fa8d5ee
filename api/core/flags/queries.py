"""SQL of flags."""
