"""What only the provider can check about a restored copy: its files, its WAL, its identity, its isolation."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from api.core.backups.catalogue import BackupRecord
from api.core.backups.wal import Run, Segment, gaps, parse_segment
from api.core.errors import Rejected
from api.core.ports import Handle, ObjectStore
from api.core.ports import ProviderFact as Fact
from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.binaries import Binaries
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.manifests import damage
from api.providers.databases.embedded.processes import PROVIDER, attempt
from api.providers.databases.embedded.roles import ADMIN

_FILE = re.compile(r"base/(\d+)/(?:INCREMENTAL\.)?(\d+)")
_RELATION = """
    SELECT pg_filenode_relation(0, file)::regclass::text
      FROM pg_database, (VALUES (%s::oid, %s::oid)) named(home, file)
     WHERE datname = current_database() AND oid = home
"""


def fact(name: str, expected: object, observed: object, fix: str) -> Fact:
    """A fact that holds when both sides read the same."""
    ok = str(expected) == str(observed)
    return Fact(name, ok, str(expected), str(observed), "" if ok else fix)


def manifest_fact(
    chain: Sequence[BackupRecord], store: ObjectStore, binaries: Binaries, account: OsAccount
) -> Fact:
    """Every file of every backup in the chain against its manifest. A remote chain was checked on arrival."""

    def check(link: BackupRecord) -> str:
        folder = store.local_path(data_key(link.id))
        found = damage(folder, binaries, account) if folder else ""
        return f"{link.id}: {found}" if found else ""

    with ThreadPoolExecutor(2) as pool:
        found = [each for each in pool.map(check, chain) if each]
    observed = "; ".join(found) or f"{len(chain)} verified"
    return fact(
        "backup_manifest",
        f"{len(chain)} verified",
        observed,
        "The backup is damaged in the store: take a full backup now and look at the disk.",
    )


def with_relations(connection: psycopg.Connection, found: Fact) -> Fact:
    """The fact with the tables and indexes of this database whose files it names."""
    files = list(dict.fromkeys(_FILE.findall(found.observed)))
    names = [name for each in files for name in connection.execute(_RELATION, each).fetchone() or () if name]
    return replace(found, observed=f"{found.observed} (of {', '.join(names)})") if names else found


def continuity_fact(handle: Handle, stored: Sequence[Segment]) -> Fact:
    """No segment missing from the backup's first to the target's."""
    first, last = (parse_segment(handle.details[name]) for name in ("first_segment", "last_segment"))
    if first is None or last is None:
        return Fact("wal_continuity", False, "known segments", "unknown", "Restore again.")
    run = Run(first.timeline, first.number, last.number)
    missing = sum(gap.missing for gap in gaps([each for each in stored if run.holds(each)], first))
    end = "" if last in stored else f", {last.name} itself missing"
    count = last.number - first.number + 1
    return fact(
        "wal_continuity",
        f"{count} of {count} segments",
        f"{count - missing} of {count} segments{end}",
        "Segments have been removed from the store since: take a full backup now.",
    )


def server_facts(connection: psycopg.Connection, handle: Handle, record: BackupRecord) -> list[Fact]:
    """Asked of the copy's own server."""
    seen = _observe(connection)
    return [
        fact(
            "system_identifier",
            record.system_identifier,
            seen["system_identifier"],
            "The copy is of another cluster: check which store this stack uses.",
        ),
        fact(
            "timeline",
            record.timeline + (0 if seen["in_recovery"] else 1),
            seen["timeline"],
            "The copy has followed another timeline: destroy it and restore again.",
        ),
        fact(
            "archiving_off",
            "off",
            seen["archive_mode"],
            "It could write into the live archive: destroy it.",
        ),
        Fact(
            "replayed_to_target",
            seen["last_commit_at"] is None or seen["last_commit_at"] <= handle.target_at,
            f"no commit after {handle.target_at.isoformat()}",
            str(seen["last_commit_at"]),
            "",
        ),
    ]


def corruption_fact(
    port: int, database: str, pgpass: Path, binaries: Binaries, account: OsAccount, *, heap_all_indexed: bool
) -> Fact:
    """pg_amcheck over a copy's database. It installs its extension, so the copy must be open for writing."""
    argv = [binaries.program("pg_amcheck"), "--install-missing", "--host=127.0.0.1", f"--port={port}"]
    argv += [f"--username={ADMIN}", "--no-password", *(["--heapallindexed"] if heap_all_indexed else [])]
    done = attempt([*argv, database], account, env={"PGPASSFILE": str(pgpass)})
    if done.returncode not in (0, 2):
        raise Rejected(f"pg_amcheck: {done.stderr.strip()[-500:]}", provider=PROVIDER, operation="amcheck")
    lines = (done.stdout + done.stderr).strip().splitlines()
    observed = "no corruption" if done.returncode == 0 else "; ".join(lines[:3])
    return fact("amcheck", "no corruption", observed, "REINDEX or restore what it names.")


def _observe(connection: psycopg.Connection) -> dict[str, Any]:
    cursor = connection.execute(
        "SELECT s.system_identifier::text, pg_is_in_recovery() AS in_recovery,"
        " CASE WHEN pg_is_in_recovery() THEN c.timeline_id ELSE"
        "  ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,"
        " current_setting('data_checksums') AS data_checksums,"
        " current_setting('archive_mode') AS archive_mode,"
        " (SELECT coalesce(sum(checksum_failures), 0)::int FROM pg_stat_database) AS checksum_failures,"
        " pg_last_xact_replay_timestamp() AS last_commit_at"
        " FROM pg_control_system() s, pg_control_checkpoint() c"
    )
    row = cursor.fetchone()
    names = [column.name for column in cursor.description or ()]
    return dict(zip(names, row or (), strict=True))
