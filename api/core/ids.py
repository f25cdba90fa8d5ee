"""Prefixed opaque random ids: `drl_3f9c…`. The prefix says the kind; the rest says nothing."""

import secrets

_ALPHABET = b"0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no look-alikes
_LETTERS = _ALPHABET * 8  # one for each byte, all equally often
_LENGTH = 20  # 100 bits


def new_id(prefix: str) -> str:
    """Return `prefix_` followed by 20 random characters."""
    return f"{prefix}_{secrets.token_bytes(_LENGTH).translate(_LETTERS).decode()}"
