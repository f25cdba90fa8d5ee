"""Opaque keyset cursors of lists."""

import base64
import binascii
import json

from api.core.errors import Refused
from api.core.presence.service import FIRST


def encode(after: tuple[str, str] | None) -> str | None:
    if after is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(after).encode()).decode().rstrip("=")


def decode(cursor: str | None) -> tuple[str, str]:
    """The first position for no cursor. Raises `Refused` for one that we did not hand out."""
    if not cursor:
        return FIRST
    try:
        match json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))):
            case [str(user), str(integration)]:
                (user + integration).encode()  # halves of characters are in no cursor of ours
                return user, integration
            case _:
                raise _foreign()
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _foreign() from error


def _foreign() -> Refused:
    return Refused(
        "The cursor is not one of ours.", fix="Start again without a cursor.", code="cursor_invalid"
    )
