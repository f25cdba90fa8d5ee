"""The ground of the restore benches: data of a given size, more than 1 GB of WAL since the full backup, and a
marker row by which a restored copy is recognised. Plain SQL, so that any PostgreSQL can be given the same."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, LiteralString

import psycopg

ROW_BYTES = 1_060
CHUNK_ROWS = 20_000

CREATE = """
CREATE TABLE bench_rows (id bigint PRIMARY KEY, filler text NOT NULL);
CREATE TABLE bench_marker (id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz DEFAULT clock_timestamp());
INSERT INTO bench_marker DEFAULT VALUES;
"""
# Half of it does not compress: the filler is four hashes in hex, written twice.
FILLER = """(SELECT repeat(string_agg(encode(sha512((%s || k)::bytea), 'hex'), ''), 2)
                  FROM generate_series(1, 4) k)"""
FILL = f"""
INSERT INTO bench_rows SELECT n, {FILLER % "n::text"} FROM generate_series(%s::bigint, %s::bigint) n
"""  # noqa: S608 - literals of this file
TOUCH = f"UPDATE bench_rows SET filler = {FILLER % '%s || id::text'} WHERE id >= %s AND id < %s"  # noqa: S608


def fill(dsn: str, size_bytes: int, said: Callable[[str], None]) -> None:
    """Create the tables and fill them to about `size_bytes`, then checkpoint."""
    rows = size_bytes // ROW_BYTES
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(CREATE)
        for first in range(0, rows, 10 * CHUNK_ROWS):
            connection.execute(FILL, (first, min(first + 10 * CHUNK_ROWS, rows) - 1))
            said(f"filled {min(first + 10 * CHUNK_ROWS, rows) * ROW_BYTES / 1e9:.1f} GB")
        connection.execute("CHECKPOINT")


def write_wal(dsn: str, wal_bytes: int) -> None:
    """Update rows, a stretch at a time, until the server has written `wal_bytes` of WAL."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        start = lsn(connection)
        first = 0
        while lsn(connection) - start < wal_bytes:
            connection.execute(TOUCH, (str(first), first, first + CHUNK_ROWS))
            first += CHUNK_ROWS


def settle(dsn: str) -> None:
    """Finish what the server would otherwise write out beside the next measurement."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def mark(dsn: str) -> tuple[int, datetime]:
    """Add a marker row, force its segment out, and return it with a moment just behind its commit."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        marker = _one(connection, "INSERT INTO bench_marker DEFAULT VALUES RETURNING id")
        moment = _one(connection, "SELECT clock_timestamp()")
        connection.execute("SELECT pg_sleep(0.05)")
        connection.execute(
            "INSERT INTO bench_marker DEFAULT VALUES"
        )  # recovery needs a commit after its target
        segment = _one(connection, "SELECT pg_walfile_name(pg_switch_wal())")
        while _one(connection, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver") < segment:
            connection.execute("SELECT pg_sleep(0.05)")
    return marker, moment


def lsn(connection: psycopg.Connection) -> int:
    """Bytes of WAL since the beginning of time."""
    return int(_one(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def _one(connection: psycopg.Connection, query: LiteralString) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
