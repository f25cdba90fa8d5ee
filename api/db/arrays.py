"""Array parameters of the statements that run most: psycopg's own dumpers take several times as long.

Each returns what PostgreSQL reads as an array of the type that the statement casts it to.
"""

from collections.abc import Iterable
from datetime import datetime


def texts(items: Iterable[str]) -> str:
    quoted = [f'"{item.replace(_BACKSLASH, _TWO).replace(_QUOTE, _QUOTED)}"' for item in items]
    return f"{{{','.join(quoted)}}}"


def blobs(items: Iterable[bytes]) -> str:
    return f"{{{','.join([f'{_HEX}{item.hex()}{_QUOTE}' for item in items])}}}"


def moments(items: Iterable[datetime]) -> str:
    """With their time zones."""
    return f"{{{','.join([item.isoformat() for item in items])}}}"


def booleans(items: Iterable[bool]) -> str:
    return f"{{{','.join(['t' if item else 'f' for item in items])}}}"


_QUOTE, _QUOTED = '"', '\\"'
_BACKSLASH, _TWO = "\\", "\\\\"
_HEX = '"\\\\x'
