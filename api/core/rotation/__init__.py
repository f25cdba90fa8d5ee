"""Secrets that are replaced by overlap, and proved: what is new works, what is old is refused."""
