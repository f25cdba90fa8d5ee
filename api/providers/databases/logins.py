"""Logins of a PostgreSQL server whose passwords are rotated: two of them, `app_a` and `app_b`, take turns.

Both are members of `app`, and each session of theirs works as `app` from its start (`ALTER ROLE … SET role`):
so privileges and whatever they make are the same, be it `app` that owns the tables (managed Postgres) or one
that may only use them. Who logged in is still to be seen (`session_user`, `pg_stat_activity`). A role cannot
have two passwords: that is why there are two.
"""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from api.core.errors import Rejected

_POLL_S = 0.2
LETTERS = ("_a", "_b")
PROVIDER = "postgres"
_PLAIN_ONLY = "plaintext passwords"  # Neon: "Neon only supports being given plaintext passwords"
_NAMES: LiteralString = "SELECT coalesce(nullif(application_name, ''), '?') FROM pg_stat_activity a"
_END: LiteralString = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity a"
_OF: LiteralString = """
 WHERE usename = %s
   AND NOT EXISTS (SELECT 1 FROM pg_locks own WHERE own.pid = a.pid AND own.locktype = 'advisory'
                      AND ((own.classid::bigint << 32) | own.objid::bigint) = %s::bigint)"""
_IDLE: LiteralString = """
   AND state = 'idle'
   AND NOT EXISTS (SELECT 1 FROM pg_locks held WHERE held.pid = a.pid AND held.locktype = 'advisory')"""


def group_of(role: str) -> str:
    """Of `app_a`, `app_b` and of `app` itself: `app`."""
    return role[:-2] if role.endswith(LETTERS) else role


def next_of(role: str) -> str:
    """`app` → `app_a` → `app_b` → `app_a`."""
    return group_of(role) + ("_b" if role.endswith("_a") else "_a")


def verifier(connection: psycopg.Connection[Any], role: str, password: str) -> str:
    """What the server keeps of a password: no log of statements tells it."""
    return connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()


@dataclass(frozen=True, slots=True)
class Logins:
    """`connection`: in autocommit, of a role that may make roles. `spared`: the advisory lock whose holder is
    not counted and not ended. `setting`: what names the administrator. Every call may be repeated. Raises
    `Rejected` where the server does not allow it."""

    connection: psycopg.Connection[Any]
    spared: int = 0
    setting: str = "FIRSTUSER_ADMIN_DATABASE_URL"

    def allow(self, role: str, group: str, password: str) -> None:
        """`role` logs in with `password` from now on, and with no other, as a member of `group`."""
        name, of = sql.Identifier(role), sql.Identifier(group)
        if not self._one("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            self._do(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        if not self._one("SELECT 1 WHERE pg_has_role(%s, %s, 'SET')", role, group):
            self._do(sql.SQL("GRANT {} TO {}").format(of, name))
        self._do(sql.SQL("ALTER ROLE {} SET role = {}").format(name, sql.Literal(group)))
        self._give(name, verifier(self.connection, role, password), password)

    def forbid(self, role: str) -> None:
        """Nobody logs in as `role` any more; sessions that there are go on."""
        if self._one("SELECT 1 FROM pg_roles WHERE rolname = %s", role):
            self._do(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(role)))

    def may_log_in(self, role: str) -> bool:
        return bool(self._one("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", role))

    def sessions(self, role: str) -> Counter[str]:
        """How many, by the application's name."""
        found = self._all(_NAMES + _OF, role, self.spared)
        return Counter(name for (name,) in found)

    def end_sessions(self, role: str, patience_s: float) -> int:
        """Those that do nothing at once; the others are waited for, then ended too. How many those were."""
        deadline = time.monotonic() + patience_s
        self._all(_END + _OF + _IDLE, role, self.spared)
        while self.sessions(role) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            self._all(_END + _OF + _IDLE, role, self.spared)
        return len(self._all(_END + _OF, role, self.spared))

    def _give(self, role: sql.Identifier, kept: str, password: str) -> None:
        """As a verifier; itself where the server takes nothing else."""
        login = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
        try:
            self._do(login.format(role, sql.Literal(kept)))
        except psycopg.errors.InternalError_ as error:
            if _PLAIN_ONLY not in str(error):
                raise
            self._do(login.format(role, sql.Literal(password)))

    def _do(self, statement: sql.Composed) -> None:
        try:
            self.connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise self._not_allowed(error) from None

    def _all(self, query: LiteralString, *values: str | int) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(query, values).fetchall()
        except psycopg.errors.InsufficientPrivilege as error:
            raise self._not_allowed(error) from None

    def _one(self, query: LiteralString, *values: str | int) -> bool:
        return bool(self._all(query, *values))

    def _not_allowed(self, error: psycopg.Error) -> Rejected:
        return Rejected(
            f"The administrator may not do that: {error.diag.message_primary or type(error).__name__}.",
            provider=PROVIDER,
            operation="change login",
            fix=f"{self.setting} needs a role with CREATEROLE, ADMIN OPTION on the app's roles, and"
            " pg_signal_backend.",
        )
