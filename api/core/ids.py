"""Prefixed opaque random ids: `drl_3f9c…`. The prefix says the kind; the rest says nothing."""

import secrets

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no look-alikes
_LENGTH = 20  # 100 bits


def new_id(prefix: str) -> str:
    """Return `prefix_` followed by 20 random characters."""
    return prefix + "_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
