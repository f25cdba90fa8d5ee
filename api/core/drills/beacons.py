"""What the source writes about itself while it lives: beacons every few seconds, fingerprints every minute.

Both are ordinary rows, so they travel through the WAL into every restored copy. Each carries the snapshot
under which it was taken; with the rows' immutable `created_xid` (or `xmin` where rows change) the copy can
tell which of its rows the source had already counted, so the comparison is exact on a busy source.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.drills.models import BeaconRow, FingerprintRow

CHOSEN_TABLES: Mapping[str, str] = {
    "founders": "id, phone_index, created_at",
    "spaces": "id, slug, owner_id, created_at",
    "integrations": "id, space_id, created_at",
    "api_keys": "id, integration_id, secret_sha256, created_at",
    "entries": "id, seq, space_id, integration_id, external_user_id, referral_code, created_at",
    "grants": "id, integration_id, entry_id, external_user_id, created_at",
}
"""Tables that a fingerprint covers, each with the columns that never change after insertion."""

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
        name: fingerprint_table(session, name, snapshot) for name in existing_tables(session, CHOSEN_TABLES)
    }
    stored = FingerprintRow(at=now, snapshot=snapshot, tables=tables, facts=cluster_facts(session))
    session.add(stored)
    session.flush()
    return stored.id


def fingerprint_table(session: Session, table: str, snapshot: str) -> dict[str, Any]:
    """Count and order-free digest of the rows that `snapshot` could see, by their immutable columns.

    The digest is the XOR of the rows' 64-bit hashes: one pass, no sort; a primary key is among the columns,
    so no two rows cancel out.
    """
    columns = CHOSEN_TABLES[table]
    rows, digest = session.execute(
        text(
            f"SELECT count(*), coalesce(bit_xor(hash_record_extended(ROW({columns}), 0)), 0)::text"  # noqa: S608 - names from the literal above
            f" FROM public.{table} WHERE pg_visible_in_snapshot(created_xid, CAST(:snapshot AS pg_snapshot))"
        ),
        {"snapshot": snapshot},
    ).one()
    return {"rows": rows, "digest": digest}


def cluster_facts(session: Session) -> dict[str, Any]:
    """What must be the same on a restored copy: roles with their rights, extensions, migration head,
    encoding and collation."""
    return json.loads(json.dumps(session.execute(_FACTS).scalar_one()))


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
    SELECT external_user_id, last_seen, status FROM presence
     WHERE integration_id = :integration AND last_seen > CAST(:now AS timestamptz) - interval '2 minutes'
     ORDER BY external_user_id LIMIT :limit
""")

_FACTS = text("""
    SELECT jsonb_build_object(
        'roles', (SELECT jsonb_object_agg(rolname, concat_ws(' ',
                    CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcanlogin THEN 'login' END,
                    CASE WHEN rolcreatedb THEN 'createdb' END, CASE WHEN rolcreaterole THEN 'createrole' END,
                    CASE WHEN rolreplication THEN 'replication' END,
                    CASE WHEN rolbypassrls THEN 'bypassrls' END))
                    FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'),
        'extensions', (SELECT jsonb_object_agg(extname, extversion) FROM pg_extension),
        'migration_head', (SELECT string_agg(version_num, ',' ORDER BY version_num) FROM alembic_version),
        'encoding', current_setting('server_encoding'),
        'collation', (SELECT jsonb_build_object('provider', datlocprovider::text, 'name', datcollate,
                             'recorded', datcollversion)
                        FROM pg_database WHERE datname = current_database()),
        'server_version', current_setting('server_version'))
""")
