"""SQL of exchanging access codes, many at a time, on a bare psycopg connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from api.core.access.exchange_rules import CodeFacts, GrantFacts
from api.db import arrays

_FACTS = """
select code.code_sha256, code.integration_id, code.entry_id, entry.status, entry.user_id,
       entry.external_user_id, code.return_url, code.code_challenge, code.expires_at, code.used_at,
       code.used_key, used.id, used.created_at, used.revoked_at, active.id, active.created_at
from unnest(%s::bytea[]) as asked(sha256)
join access_codes as code on code.code_sha256 = asked.sha256
join entries as entry on entry.id = code.entry_id
left join grants as used on used.id = code.grant_id
left join grants as active on active.entry_id = code.entry_id and active.revoked_at is null
"""

# The code first: whoever marks it as used, and nobody else, writes the grant.
_USE = """
with claimed as (
    update access_codes as code
    set used_at = wanted.at, used_key = wanted.key, grant_id = wanted.grant_id
    from unnest(
        %s::bytea[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::boolean[]
    ) as wanted(sha256, key, integration_id, external_user_id, at, grant_id, is_new)
    where code.code_sha256 = wanted.sha256 and code.used_at is null
    returning code.code_sha256, code.entry_id, wanted.integration_id, wanted.external_user_id, wanted.at,
              wanted.grant_id, wanted.is_new
), granted as (
    insert into grants (id, integration_id, entry_id, external_user_id, created_at)
    select grant_id, integration_id, entry_id, external_user_id, at from claimed where is_new
)
select code_sha256 from claimed
"""

_REVOKE = """
update grants set revoked_at = greatest(%s, created_at)
from (select id from grants where id = any(%s) and revoked_at is null order by id for update) as held
where grants.id = held.id
"""

# The trigger has done it with the grant's end. A heartbeat that had seen the grant may have waited for just
# that, and write over it now: whatever the row says, it is written once more, behind that.
_LEAVE = """
update presence set status = 'left', last_seen = greatest(last_seen, %s)
from grants
where grants.id = any(%s) and presence.integration_id = grants.integration_id
  and presence.external_user_id = grants.external_user_id
"""


class Claim(NamedTuple):
    """One code to be marked as used. `is_new`: its grant is to be written too."""

    code_sha256: bytes
    key: str
    integration_id: str
    external_user_id: str
    at: datetime
    grant_id: str
    is_new: bool


async def facts(connection: AsyncConnection[Any], codes: Sequence[bytes]) -> dict[bytes, CodeFacts]:
    """What is stored about each of the codes that exist."""
    cursor = await connection.execute(_FACTS, (arrays.blobs(codes),))
    return {row[0]: _facts(row) for row in await cursor.fetchall()}


async def use(connection: AsyncConnection[Any], claims: Sequence[Claim]) -> set[bytes]:
    """The codes that were still unused and are used now, each with its grant."""
    codes, keys, integrations, users, moments, grants, new = zip(*sorted(claims), strict=True)
    cursor = await connection.execute(
        _USE,
        (
            arrays.blobs(codes),
            arrays.texts(keys),
            arrays.texts(integrations),
            arrays.texts(users),
            arrays.moments(moments),
            arrays.texts(grants),
            arrays.booleans(new),
        ),
    )
    return {row[0] for row in await cursor.fetchall()}


async def revoke(connection: AsyncConnection[Any], grant_ids: Sequence[str], now: datetime) -> None:
    """Ends the grants, and with them presence; on a connection in autocommit, for the second look."""
    await connection.execute(_REVOKE, (now, list(grant_ids)))
    await connection.execute(_LEAVE, (now, list(grant_ids)))


def _facts(row: tuple[Any, ...]) -> CodeFacts:
    used_for = GrantFacts(row[11], row[12], row[13]) if row[11] else None
    active = GrantFacts(row[14], row[15], None) if row[14] else None
    return CodeFacts(*row[1:11], used_for=used_for, active=active)
