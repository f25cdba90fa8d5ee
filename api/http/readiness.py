"""Can this process serve? The database answers, its schema is the one this code expects or a newer release's,
nobody is draining.

One reserved connection, so that a full pool does not make the process look dead; one check at a time, its
result shared by all who ask within two seconds.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from api.db import migrate
from api.db.address import DatabaseAddress
from api.http.draining import Draining

CACHE_S = 2.0
QUERY_TIMEOUT_S = 0.5
_CONNECT_TIMEOUT_S = 2
_QUERY = "select version_num from alembic_version"

Check = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadyReport:
    ready: bool
    checks: Mapping[str, Check]


class Readiness:
    def __init__(self, database: str | DatabaseAddress, expected_revision: str, draining: Draining) -> None:
        self._address = DatabaseAddress.of(database)
        self._connected_with = ""
        self._expected = expected_revision
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()
        self._cached: tuple[float, ReadyReport] | None = None
        self._draining = draining

    async def report(self) -> ReadyReport:
        async with self._lock:
            if self._draining.begun or self._cached is None or time.monotonic() - self._cached[0] > CACHE_S:
                self._cached = (time.monotonic(), await self._look())
            return self._cached[1]

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _look(self) -> ReadyReport:
        started = time.monotonic()
        revision, failure = await self._revision()
        checks = {
            "database": _check(
                not failure,
                failure,
                ms=round((time.monotonic() - started) * 1000, 1),
                postgres=self._connection.info.server_version // 10000 if self._connection else None,
            ),
            "migrations": _check(
                migrate.fits(revision, self._expected),
                "not known" if failure else "run the migrations of this release",
                expected=self._expected,
                current=revision,
            ),
            "draining": _check(not self._draining.begun, "this process is going away"),
        }
        return ReadyReport(all(check["status"] == "ok" for check in checks.values()), checks)

    async def _revision(self) -> tuple[str | None, str]:
        """(revision, failure). A connection that failed once is not trusted again."""
        if self._address.stale(self._connected_with):
            await self.close()
        try:
            connection = self._connection or await self._connect()
            self._connection = connection
            row = await asyncio.wait_for(self._ask(connection), QUERY_TIMEOUT_S)
        except psycopg.errors.UndefinedTable:
            return None, ""
        except TimeoutError:
            await self.close()
            return None, f"no answer within {QUERY_TIMEOUT_S * 1000:.0f} ms"
        except psycopg.Error as error:
            await self.close()
            return None, type(error).__name__
        return (row[0] if row else None), ""

    async def _ask(self, connection: psycopg.AsyncConnection[Any]) -> Any:
        cursor = await connection.execute(_QUERY)
        return await cursor.fetchone()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        self._connected_with = self._address.url
        return await psycopg.AsyncConnection.connect(
            self._connected_with,
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="firstuser-readyz",
        )


def _check(ok: bool, detail: str, **facts: object) -> Check:
    return {"status": "ok" if ok else "failing", **facts, **({} if ok else {"detail": detail})}
