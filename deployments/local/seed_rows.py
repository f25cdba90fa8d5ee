"""The people of the seeded data set as rows, streamed into PostgreSQL by COPY."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, sql

from api.core.access import rules
from api.core.crypto import Vault
from deployments.local.seed_people import Person, Place, people, seeded_id

_ENTRY = (
    "id", "space_id", "integration_id", "external_user_id", "email_cipher", "email_index", "status",
    "referral_code", "referred_by", "created_at", "decided_at", "user_id", "ordinal", "rank",
    "phone_cipher", "phone_index",
)  # fmt: skip
_GRANT = ("id", "integration_id", "entry_id", "external_user_id", "created_at", "revoked_at")
_COUNT_REFERRALS = """
update entries set referrals = counted.number, rank = ordinal - %s * counted.number
from (select referred_by, count(*) as number from entries where referred_by is not null group by 1) as counted
where entries.id = counted.referred_by
"""
_COUNT_JOINED = "insert into waitlist_counters select space_id, count(*) from entries group by 1"
_LAST_DAY = """
insert into presence_minutes
select integration_id, minute, (
    held * (0.2 + 0.12 * sin((extract(epoch from minute) / 86400 - 0.375) * 2 * pi()))
    + abs(hashtext(integration_id || minute::text)) %% (2 + held / 40))::integer
from (select integration_id, count(*) as held from grants where revoked_at is null group by 1) as holding,
    generate_series(
        date_trunc('minute', %(now)s::timestamptz) - interval '24 hours',
        date_trunc('minute', %(now)s::timestamptz) - interval '1 minute', interval '1 minute') as minute
"""
_PRESENCE = ("integration_id", "external_user_id", "last_seen", "status")


def load(
    connection: Connection[Any], vault: Vault, places: Sequence[Place], count: int, now: datetime
) -> tuple[int, int, int]:
    """Rows written of (entries, grants, presence)."""

    def stream() -> Iterator[Person]:
        return people(places, count, now)

    rng = random.Random(20_260_103)  # noqa: S311  ids of made-up grants
    entries = _copy(connection, "entries", _ENTRY, (_entry(person, vault) for person in stream()))
    connection.execute(_COUNT_REFERRALS, (rules.RANKS_PER_REFERRAL,))
    connection.execute(_COUNT_JOINED)
    grants = _copy(connection, "grants", _GRANT, (_grant(p, rng) for p in stream() if p.granted))
    presence = _copy(connection, "presence", _PRESENCE, (_seen(p) for p in stream() if p.last_seen))
    connection.execute(_LAST_DAY, {"now": now})
    return entries, grants, presence


def _entry(person: Person, vault: Vault) -> tuple[object, ...]:
    email, phone = person.email, person.phone
    return (
        person.entry_id,
        person.place.space_id,
        person.place.integration_id,
        person.external_user_id,
        vault.seal(email, person.entry_id) if email else None,
        vault.index(email) if email else None,
        person.status,
        person.referral_code,
        person.referred_by,
        person.created_at,
        person.decided_at,
        person.user_id,
        person.ordinal,
        person.ordinal,
        vault.seal(phone, person.entry_id) if phone else None,
        vault.index(phone) if phone else None,
    )


def _grant(person: Person, rng: random.Random) -> tuple[object, ...]:
    return (
        seeded_id(rng, "grt"),
        person.place.integration_id,
        person.entry_id,
        person.external_user_id,
        person.decided_at,
        person.revoked_at,
    )


def _seen(person: Person) -> tuple[object, ...]:
    return (person.place.integration_id, person.external_user_id, person.last_seen, person.presence)


def _copy(
    connection: Connection[Any], table: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> int:
    written = 0
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("copy {} ({}) from stdin").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            written += 1
    return written
