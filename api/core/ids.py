"""Prefixed opaque random ids: `drl_3f9c…`. The prefix says the kind; the rest says nothing."""

import os
import secrets

_ALPHABET = b"0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no look-alikes
_LETTERS = _ALPHABET * 8  # one for each byte, all equally often
_LENGTH = 20  # 100 bits
_AT_ONCE = 128

# Drawn ahead: asking the system for randomness costs more than the rest of a small request.
_drawn: list[str] = []
os.register_at_fork(after_in_child=_drawn.clear)


def new_id(prefix: str) -> str:
    """Return `prefix_` followed by 20 random characters."""
    try:
        return f"{prefix}_{_drawn.pop()}"
    except IndexError:
        letters = secrets.token_bytes(_LENGTH * _AT_ONCE).translate(_LETTERS).decode()
        _drawn.extend(letters[start : start + _LENGTH] for start in range(_LENGTH, len(letters), _LENGTH))
        return f"{prefix}_{letters[:_LENGTH]}"
