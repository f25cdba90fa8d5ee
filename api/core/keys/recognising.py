"""Looking up the key of a call, on a bare psycopg connection: what `known` keeps for a moment."""

import hmac
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from api.core.keys import token
from api.core.keys.known import KnownKey

_FIND = """
select id, integration_id, secret_sha256, expires_at, last_used_at
from api_keys where id = %s and revoked_at is null
"""
_FIND_RETIRED = """
select integration_id, secret_sha256 from api_keys
where id = %s and not witness and (revoked_at is not null or expires_at <= %s)
"""
_TOUCH = """
update api_keys set last_used_at = %(now)s
where id = %(id)s and (last_used_at is null or last_used_at < %(now)s - interval '1 minute')
"""


async def recognise(connection: AsyncConnection[Any], presented: token.Token) -> KnownKey | None:
    """The key that is stored under this id with this secret, unless it was revoked."""
    row = await (await connection.execute(_FIND, (presented.key_id,))).fetchone()
    if row is None:
        return None
    found = KnownKey(*row)
    return found if hmac.compare_digest(found.secret_sha256, presented.secret_sha256) else None


async def touch(connection: AsyncConnection[Any], key_id: str, now: datetime) -> None:
    """Remember the use, at most once a minute: a busy key must not rewrite its row on each call."""
    await connection.execute(_TOUCH, {"id": key_id, "now": now})


async def retired(connection: AsyncConnection[Any], presented: token.Token, now: datetime) -> str | None:
    """The integration whose key this was until it ended; None for what never was a key."""
    row = await (await connection.execute(_FIND_RETIRED, (presented.key_id, now))).fetchone()
    if row is None or not hmac.compare_digest(bytes(row[1]), presented.secret_sha256):
        return None
    return str(row[0])
