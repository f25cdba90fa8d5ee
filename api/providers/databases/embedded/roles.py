"""Roles and databases of the stack, created once on a running server. Safe to run again.

firstuser_admin   superuser           firstuser_app     what the API connects as: DML, no DDL
firstuser_owner   owns the schema     firstuser_reader  reads everything: what a drill compares with
firstuser_backup  replication         prefect           owns the database `prefect`
firstuser_copy    as the app on a restored copy, and nowhere else (`api.providers.databases.copy_login`)

From its first rotation on the app logs in as `firstuser_app_a` or `_b` (`api.providers.databases.logins`).
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from api.providers.databases.copy_login import COPY
from api.providers.databases.logins import verifier

ADMIN = "firstuser_admin"
OWNER = "firstuser_owner"
APP = "firstuser_app"
READER = "firstuser_reader"
BACKUP = "firstuser_backup"
PREFECT = "prefect"
ALL = (ADMIN, OWNER, APP, READER, BACKUP, COPY, PREFECT)

PRODUCTION = "firstuser"
STAGING = "firstuser_staging"
DATABASES = {PRODUCTION: OWNER, STAGING: OWNER, PREFECT: PREFECT}

_ATTRIBUTES: dict[str, LiteralString] = {
    OWNER: "LOGIN",
    APP: "LOGIN",
    READER: "LOGIN",
    BACKUP: "LOGIN REPLICATION",
    PREFECT: "LOGIN",
}


def ensure_roles(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    """Create the roles that are missing. Passwords travel as SCRAM verifiers: a log tells none."""
    known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role, attributes in _ATTRIBUTES.items():
        if role not in known:
            connection.execute(
                sql.SQL("CREATE ROLE {} {} PASSWORD {}").format(
                    sql.Identifier(role),
                    sql.SQL(attributes),
                    sql.Literal(verifier(connection, role, passwords[role])),
                )
            )
    connection.execute(
        sql.SQL("GRANT pg_read_all_data, pg_read_all_stats TO {}").format(sql.Identifier(READER))
    )


def ensure_databases(connection: psycopg.Connection) -> None:
    """Create the databases that are missing. The connection must be in autocommit."""
    known = {name for (name,) in connection.execute("SELECT datname FROM pg_database").fetchall()}
    for database, owner in DATABASES.items():
        if database not in known:
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
            )


def ensure_privileges(connection: psycopg.Connection, database: str) -> None:
    """Close `database` to strangers and give the API its DML, on today's tables and on tomorrow's."""
    owner, app, reader, backup = (sql.Identifier(role) for role in (OWNER, APP, READER, BACKUP))
    name = sql.Identifier(database)
    for statement in (
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}, {}").format(name, app, reader, backup),
        sql.SQL("GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {}").format(backup),
        sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(app),
        sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(app),
        sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(app),
        sql.SQL(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {}"
        ).format(owner, app),
        sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT USAGE, SELECT ON SEQUENCES TO {}").format(
            owner, app
        ),
        sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT USAGE ON SCHEMAS TO {}").format(owner, app),
    ):
        connection.execute(statement)
