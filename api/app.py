"""The composition root of the web door."""
