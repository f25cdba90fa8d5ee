"""Checks that read the restored copy by SQL, at the target and before anyone writes to it.

Each takes a session on the copy and returns results; what it is compared with came through the WAL (beacons,
fingerprints) or was read from the source beforehand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.drills import queries
from api.core.drills.beacons import CHOSEN_TABLES, cluster_facts, existing_tables, fingerprint_table
from api.core.drills.records import Beacon, CheckResult, Fingerprint, check
from api.core.drills.service import beacon as as_beacon
from api.core.drills.service import fingerprint as as_fingerprint
from api.db.migrate import fits

APP_ROLE, ALWAYS_BEFORE = "app_role", "firstuser_app"
"""As whom the application works, and what that was before fingerprints said it."""

STALE_BEACON = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Canary:
    """The newest beacon in the copy, and the check that it is where it has to be."""

    beacon: Beacon | None
    result: CheckResult

    def seconds_before(self, moment: datetime) -> float | None:
        return (moment - self.beacon.at).total_seconds() if self.beacon else None


def canary(copy: Session, target: datetime, first_after: Beacon | None) -> Canary:
    """The newest beacon tells the RPO; the first that the source wrote after the target must be absent."""
    stored = queries.newest_beacon(copy)
    newest = as_beacon(stored) if stored else None
    expected = f"a beacon at or before {target.isoformat()}, none after it"
    fix = "The copy does not stand at the target: look at the recovery log, and see that beacons are written."
    if newest is None:
        return Canary(None, check("canary", False, expected, "no beacon", fix))
    overshoot = newest.at > target or (first_after is not None and newest.id >= first_after.id)
    stale = target - newest.at > STALE_BEACON
    observed = f"newest is number {newest.id}, {(target - newest.at).total_seconds():.3f} s before the target"
    return Canary(newest, check("canary", not overshoot and not stale, expected, observed, fix))


def digests(copy: Session, target: datetime) -> list[CheckResult]:
    """Counts and digests of the chosen tables against the newest fingerprint that the copy carries."""
    stored = queries.fingerprint_before(copy, target)
    if stored is None:
        fix = "See that the beacon process runs; it writes a fingerprint every minute."
        return [check("digests", False, "a fingerprint in the copy", "none", fix)]
    recorded = as_fingerprint(stored)
    app_role = str(recorded.facts.get(APP_ROLE) or ALWAYS_BEFORE)
    return [*_table_results(copy, recorded), facts(recorded.facts, cluster_facts(copy, app_role))]


def _table_results(copy: Session, recorded: Fingerprint) -> list[CheckResult]:
    names = existing_tables(copy, CHOSEN_TABLES)
    return [
        _table_result(copy, table, recorded, exists=table in names)
        for table in CHOSEN_TABLES
        if table in recorded.tables
    ]


def _table_result(copy: Session, table: str, recorded: Fingerprint, *, exists: bool) -> CheckResult:
    then = recorded.tables[table]
    expected = f"{then['rows']} rows, digest {then['digest']} (as of {recorded.at.isoformat()})"
    fix = f"Rows of {table} were lost or altered on the way: compare the copy with the source row by row."
    if not exists:
        return check(f"digest:{table}", False, expected, "no such table", fix)
    now = fingerprint_table(copy, table, recorded.snapshot, then.get("since"))
    observed = f"{now['rows']} rows, digest {now['digest']}"
    return check(f"digest:{table}", dict(then) == now, expected, observed, fix)


def facts(recorded: Mapping[str, object], observed: Mapping[str, object]) -> CheckResult:
    """Roles, extensions, migration head, encoding and collation as the source recorded them."""
    keys = {*recorded, *observed} - {APP_ROLE}
    different = sorted(key for key in keys if recorded.get(key) != observed.get(key))
    expected = f"migration {recorded.get('migration_head')}; roles, extensions, collation as recorded"
    shown = (
        "; ".join(f"{key}: {recorded.get(key)} became {observed.get(key)}" for key in different)
        or f"migration {observed.get('migration_head')}; all the same"
    )
    fix = "The copy runs with other roles, extensions, collation or schema: restore with the same binaries."
    return check("cluster_facts", not different, expected, shown, fix)


def migration_head(copy: Session, code_head: str) -> CheckResult:
    """The copy's migration is the one that the code knows, or a newer release's, as after a rollback."""
    found = copy.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    fix = "Restore to a later moment, or run the release that matches the copy, before pointing anyone at it."
    fine = len(found) == 1 and fits(found[0], code_head)
    return check("migration_head", fine, code_head, ", ".join(found) or "none", fix)


def sequences(copy: Session) -> CheckResult:
    """Every sequence that feeds a column is at or ahead of the column's largest value."""
    owned = copy.execute(_OWNED_SEQUENCES).all()
    behind: list[str] = []
    for column, question in owned:
        largest, last = copy.execute(text(question)).one()
        if largest is not None and last < largest:
            behind.append(f"{column} holds {largest}, its sequence stands at {last}")
    fix = "Run setval() for the sequences named, else the next insert collides."
    observed = "; ".join(behind) or f"{len(owned)} sequences, all ahead"
    return check("sequences", not behind, "every sequence ahead of its column", observed, fix)


def collations(copy: Session) -> CheckResult:
    """Collation versions recorded in the database are those of the libraries that now serve it."""
    rows: Sequence[tuple[str, str, str]] = [
        (name, recorded, actual) for name, recorded, actual in copy.execute(_COLLATIONS)
    ]
    off = [f"{name}: recorded {recorded}, actual {actual}" for name, recorded, actual in rows]
    fix = "Text indexes may be out of order: REINDEX, or restore where the same C library and ICU are."
    return check("collations", not off, "recorded versions match", "; ".join(off) or "all match", fix)


def checksums(copy: Session) -> CheckResult:
    """Data checksums are on and no page has failed one since the copy came up."""
    enabled = copy.execute(text("SELECT current_setting('data_checksums')")).scalar_one()
    failures = copy.execute(
        text("SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database")
    ).scalar_one()
    observed = f"checksums {enabled}, {failures} failures"
    fix = "Pages of the copy are damaged: drill from an older restore point and check the store's disks."
    return check("checksums", enabled == "on" and failures == 0, "checksums on, 0 failures", observed, fix)


_OWNED_SEQUENCES = text("""
    SELECT format('%I.%I.%I', tn.nspname, t.relname, a.attname),
           format('SELECT (SELECT max(%I) FROM %I.%I), (SELECT last_value FROM %I.%I)',
                  a.attname, tn.nspname, t.relname, sn.nspname, s.relname)
      FROM pg_depend d
      JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
      JOIN pg_namespace sn ON sn.oid = s.relnamespace
      JOIN pg_class t ON t.oid = d.refobjid
      JOIN pg_namespace tn ON tn.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.deptype IN ('a', 'i')
     ORDER BY 1
""")

_COLLATIONS = text("""
    SELECT datname, datcollversion, pg_database_collation_actual_version(oid)
      FROM pg_database
     WHERE datallowconn AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
    UNION ALL
    SELECT collname, collversion, pg_collation_actual_version(oid)
      FROM pg_collation
     WHERE collversion IS NOT NULL AND collversion IS DISTINCT FROM pg_collation_actual_version(oid)
""")
