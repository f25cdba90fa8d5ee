"""What SQL alone can prove about a copy, where no file of it can be reached."""

from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from api.core.drills import queries
from api.core.drills.targets import AFTER_BEACON
from api.core.ports import ProviderFact
from api.db.engine import Session, make_engine

CONNECT_S = 10
_CHECKED: LiteralString = """
    SELECT c.oid::regclass::text, c.relkind::text, c.oid::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_index i ON i.indexrelid = c.oid
      LEFT JOIN pg_am a ON a.oid = c.relam
     WHERE c.relpersistence = 'p' AND n.nspname NOT LIKE 'pg\\_temp%'
       AND (c.relkind IN ('r', 'm', 't') AND a.amname = 'heap'
            OR c.relkind = 'i' AND a.amname = 'btree' AND i.indisvalid AND i.indisready)
     ORDER BY 1
"""
_WITHOUT = "Let the role of FIRSTUSER_DRILL_ADMIN_DATABASE_URL do it, or drill without amcheck."


def answers(url: str) -> bool:
    """Whether somebody can log in there."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_S).close()
    except psycopg.OperationalError:
        return False
    return True


def moment(url: str) -> datetime | None:
    """Where the copy stands: just behind its newest beacon."""
    engine = make_engine(url, application_name="drill", read_only=True)
    try:
        with Session(engine) as session:
            newest = queries.newest_beacon(session)
            return newest.at + AFTER_BEACON if newest else None
    except DBAPIError:
        return None  # no beacons at all: the drill's own checks say so
    finally:
        engine.dispose()


def open_fact(url: str) -> ProviderFact:
    expected = "open for writing, out of recovery"
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_S) as connection:
            found = connection.execute(
                "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')"
            ).fetchone()
    except psycopg.Error as error:
        return ProviderFact("copy_open", False, expected, _said(error), "Look at the copy in its console.")
    fine = found == (False, "off")
    observed = expected if fine else "in recovery, or read-only"
    return ProviderFact("copy_open", fine, expected, observed, "" if fine else "Wait, then drill again.")


def corruption(url: str) -> ProviderFact:
    """Every table and B-tree index, by the extension amcheck."""
    expected = "no corruption"
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_S, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            relations = connection.execute(_CHECKED).fetchall()
            found = [said for name, kind, oid in relations if (said := _damage(connection, name, kind, oid))]
    except psycopg.Error as error:
        return ProviderFact("amcheck", False, expected, f"not checked: {_said(error)}", _WITHOUT)
    fix = "The copy is damaged, and so may production be: run amcheck there, and drill to an earlier moment."
    observed = "; ".join(found[:5]) or f"{len(relations)} tables and indexes, no corruption"
    return ProviderFact("amcheck", not found, expected, observed, fix if found else "")


def _damage(connection: psycopg.Connection, name: str, kind: str, oid: str) -> str:
    try:
        if kind == "i":
            connection.execute(sql.SQL("SELECT bt_index_check({}::oid::regclass)").format(sql.Literal(oid)))
            return ""
        rows = connection.execute(
            sql.SQL("SELECT blkno, msg FROM verify_heapam({}::oid::regclass)").format(sql.Literal(oid))
        ).fetchall()
    except (psycopg.errors.IndexCorrupted, psycopg.errors.DataCorrupted) as error:
        return f"{name}: {_said(error)}"
    return f"{name}: block {rows[0][0]}: {rows[0][1]}" if rows else ""


def _said(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
