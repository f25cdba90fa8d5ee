"""What the source writes about itself while it lives: beacons every few seconds, fingerprints every minute.

Both are ordinary rows, so they travel through the WAL into every restored copy. Each carries the snapshot
under which it was taken; with the rows' immutable `created_xid` (or `xmin` where rows change) the copy can
tell which of its rows the source had already counted, so the comparison is exact on a busy source.

People may be deleted between a fingerprint and the moment that is restored. Their tombstones carry the hashes
of the rows that went with them, for as long as a fingerprint may need them: a deletion is accounted for
exactly, and any other missing row is a loss. Samples name people by our own random ids, which stand for
nobody once the person is deleted.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.drills import queries, windows
from api.core.drills.models import BeaconRow, FingerprintRow
from api.core.fingerprints import IMMUTABLE_COLUMNS, row_hash

CHOSEN_TABLES = tuple(IMMUTABLE_COLUMNS)
"""Tables that a fingerprint covers, some of them from a bound on (`api.core.drills.windows`)."""

SAMPLED_TABLES = frozenset({"spaces", "integrations", "entries", "grants", "presence"})
LIVE_SAMPLE_LIMIT = 500


def write_beacon(session: Session, space_slug: str, now: datetime) -> int:
    """Insert one beacon with a sample of the space `space_slug` (its first integration, who was live)."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    lsn, snapshot = session.execute(
        text("SELECT pg_current_wal_insert_lsn()::text, pg_current_snapshot()::text")
    ).one()
    beacon = BeaconRow(at=now, lsn=lsn, snapshot=snapshot, sample=_sample(session, space_slug, now))
    session.add(beacon)
    session.flush()
    return beacon.id


def _sample(session: Session, space_slug: str, now: datetime) -> dict[str, Any]:
    if not existing_tables(session, SAMPLED_TABLES) >= SAMPLED_TABLES:
        return {}  # a damaged source still beats; the drill says that there is nothing to compare with
    space = session.execute(_SPACE, {"slug": space_slug}).mappings().one_or_none()
    if space is None:
        return {}
    integration = session.execute(_INTEGRATION, {"space": space["id"]}).mappings().one_or_none()
    live = (
        session.execute(
            _LIVE, {"integration": integration["id"], "now": now, "limit": LIVE_SAMPLE_LIMIT}
        ).mappings()
        if integration
        else ()
    )
    return {
        "space": _plain(space),
        "integration": _plain(integration) if integration else None,
        "live": [_plain(row) for row in live],
    }


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}


def existing_tables(session: Session, names: Iterable[str]) -> set[str]:
    """Those of `names` that exist in schema public."""
    found = session.execute(
        text(
            "SELECT name FROM unnest(CAST(:names AS text[])) name"
            " WHERE to_regclass('public.' || name) IS NOT NULL"
        ),
        {"names": list(names)},
    )
    return set(found.scalars())


def write_fingerprint(session: Session, now: datetime) -> int:
    """Insert counts and digests of the chosen tables that exist, and the facts of the cluster."""
    session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    snapshot = session.execute(text("SELECT pg_current_snapshot()::text")).scalar_one()
    tables = {
        name: fingerprint_table(session, name, snapshot, windows.since(session, name, now))
        for name in existing_tables(session, CHOSEN_TABLES)
    }
    _drop_settled_hashes(session)
    stored = FingerprintRow(at=now, snapshot=snapshot, tables=tables, facts=cluster_facts(session))
    session.add(stored)
    session.flush()
    return stored.id


def fingerprint_table(
    session: Session, table: str, snapshot: str, since: str | None = None
) -> dict[str, Any]:
    """Count and order-free digest of the rows, from `since` on, that `snapshot` could see, by their immutable
    columns; those that were deleted with a person since are counted as if they were there."""
    rows, digest = session.execute(
        text(
            f"SELECT count(*), coalesce(bit_xor({row_hash(table, 'kept')}), 0) FROM {windows.rows(table)} AS kept"  # noqa: S608, E501 - names from a literal
            " WHERE pg_visible_in_snapshot(created_xid, CAST(:snapshot AS pg_snapshot))"
        ),
        {"snapshot": snapshot, "since": since},
    ).one()
    gone, their_digest = _removed(session, table, snapshot, since)
    if table == "webhook_deliveries":
        arrived, arrived_digest = windows.delivered_since(session, snapshot, since)
        gone, their_digest = gone + arrived, their_digest ^ arrived_digest
    found = {"rows": rows + gone, "digest": str(digest ^ their_digest)}
    return found if since is None else found | {"since": since}


def _removed(session: Session, table: str, snapshot: str, since: str | None) -> tuple[int, int]:
    """(rows, XOR of their hashes) that `snapshot` could see and a person's deletion took away after it."""
    if not existing_tables(session, {"tombstones"}):
        return 0, 0
    given = {"table": table, "snapshot": snapshot, "since": since}
    gone, digest = session.execute(_REMOVED, given).one()
    return gone, digest


def removed_since(session: Session, space_id: str, snapshot: str) -> Mapping[str, int]:
    """How many entries and grants of the space the snapshot saw that went with deleted people since."""
    counts = session.execute(_REMOVED_OF_SPACE, {"space": space_id, "snapshot": snapshot}).mappings().one()
    return {name: int(number) for name, number in counts.items()}


def _drop_settled_hashes(session: Session) -> None:
    """Once the previous fingerprint and the newest beacon were taken after a deletion, no copy that holds
    this one needs the hashes of the removed rows any more."""
    fingerprint, beacon = queries.newest_fingerprint(session), queries.newest_beacon(session)
    if fingerprint and beacon and existing_tables(session, {"tombstones"}):
        seen = {"fingerprint": fingerprint.snapshot, "beacon": beacon.snapshot}
        session.execute(_DROP_SETTLED, seen)


def cluster_facts(session: Session, app_role: str | None = None) -> dict[str, Any]:
    """What must be the same on a restored copy: roles with their rights, extensions, migration head,
    encoding and collation. Not as whom the application logs in: that is rotated, between `app_role` and its
    two logins; without one it is whoever asks, as the beacon does."""
    app = app_role or session.execute(_APP_ROLE).scalar_one()
    return json.loads(json.dumps(session.execute(_FACTS, {"app": app}).scalar_one()))


_APP_ROLE = text("SELECT regexp_replace(session_user, '_[ab]$', '')")

_SPACE = text("""
    SELECT s.id, s.slug, s.name, s.created_at,
           (SELECT count(*) FROM entries e WHERE e.space_id = s.id) AS entries,
           (SELECT count(*) FROM grants g JOIN integrations i ON i.id = g.integration_id
             WHERE i.space_id = s.id) AS grants
      FROM spaces s WHERE s.slug = :slug
""")

_INTEGRATION = text("""
    SELECT id, name, space_id, return_urls, origins, webhook_url, created_at
      FROM integrations WHERE space_id = :space ORDER BY created_at, id LIMIT 1
""")

_LIVE = text("""
    SELECT user_id, last_seen, presence.status
      FROM (SELECT * FROM presence
             WHERE integration_id = :integration
               AND last_seen > CAST(:now AS timestamptz) - interval '2 minutes'
             ORDER BY external_user_id LIMIT :limit) presence
      JOIN entries USING (integration_id, external_user_id)
     ORDER BY external_user_id
""")

# A deletion after the snapshot, of a row from before it. `removed` is what `api.core.privacy` writes.
_REMOVED = text("""
    SELECT count(*), coalesce(bit_xor((gone->>'hash')::bigint), 0)
      FROM tombstones, jsonb_array_elements(removed->:table) gone
     WHERE NOT pg_visible_in_snapshot(created_xid, CAST(:snapshot AS pg_snapshot))
       AND pg_visible_in_snapshot((gone->>'xid')::xid8, CAST(:snapshot AS pg_snapshot))
       AND (gone->>'id' IS NULL OR (gone->>'id') COLLATE "C" >= CAST(:since AS text))
""")

_REMOVED_OF_SPACE = text("""
    SELECT count(*) FILTER (WHERE kind = 'entries') AS entries,
           count(*) FILTER (WHERE kind = 'grants') AS grants
      FROM tombstones, jsonb_each(removed) AS of(kind, rows), jsonb_array_elements(rows) gone
     WHERE space_id = :space
       AND NOT pg_visible_in_snapshot(created_xid, CAST(:snapshot AS pg_snapshot))
       AND pg_visible_in_snapshot((gone->>'xid')::xid8, CAST(:snapshot AS pg_snapshot))
""")

_DROP_SETTLED = text("""
    UPDATE tombstones SET removed = '{}'
     WHERE removed <> '{}'
       AND pg_visible_in_snapshot(created_xid, CAST(:fingerprint AS pg_snapshot))
       AND pg_visible_in_snapshot(created_xid, CAST(:beacon AS pg_snapshot))
""")

_FACTS = text("""
    SELECT jsonb_build_object(
        'roles', (SELECT jsonb_object_agg(rolname, concat_ws(' ',
                    CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcanlogin
                      AND rolname <> :app THEN 'login' END,
                    CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolcreaterole THEN 'createrole' END,
                    CASE WHEN rolreplication THEN 'replication' END,
                    CASE WHEN rolbypassrls THEN 'bypassrls' END))
                    FROM pg_roles
                   WHERE rolname NOT LIKE 'pg\\_%' AND rolname NOT IN (:app || '_a', :app || '_b')),
        'app_role', CAST(:app AS text),
        'extensions', (SELECT jsonb_object_agg(extname, extversion) FROM pg_extension),
        'migration_head', (SELECT string_agg(version_num, ',' ORDER BY version_num) FROM alembic_version),
        'encoding', current_setting('server_encoding'),
        'collation', (SELECT jsonb_build_object('provider', datlocprovider::text, 'name', datcollate,
                             'recorded', datcollversion)
                        FROM pg_database WHERE datname = current_database()),
        'server_version', current_setting('server_version'))
""")
