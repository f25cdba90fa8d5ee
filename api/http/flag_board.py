"""Flags and pauses as this process sees them; asked at every call, so they are answered from memory.

The store is read every `POLL_S`, which is the truth; a notification from it makes that happen at once. While
the application runs, `following` does so in the background and no caller ever waits. Without it (a test, a
script) whoever asks reads the store when the last reading is older than that.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import structlog

from api.core.flags import rules
from api.core.flags.rules import EVERYWHERE, FlagKey, Values
from api.core.flags.service import CURRENT
from api.db.address import DatabaseAddress

POLL_S = 2.0
ANSWER_S = 2.0
"""A database that takes longer is away."""

_NAME, _CONNECT_TIMEOUT_S, _OPTIONS = "firstuser-flags", 2, "-c statement_timeout=2000"
_log = structlog.get_logger("api.flags")


class FlagBoard:
    def __init__(self, database: str | DatabaseAddress, overrides: Values) -> None:
        self._address = DatabaseAddress.of(database)
        self.overrides = overrides
        self._stored: Values | None = None
        self._found: dict[tuple[FlagKey, str, str], bool] = {}  # of what is stored, while it is trusted
        self._read_at = self._looked_at = float("-inf")
        self._following = False
        self._away = False
        self._lock = threading.Lock()

    def integration_enabled(self, integration_id: str) -> bool:
        """False turns every call of the integration away with 403 `integration_disabled`."""
        return self.value(FlagKey.INTEGRATION_ENABLED, integration_id)

    def onboarding_paused(self, space_id: str) -> bool:
        """True refuses new entries with 409 `onboarding_paused`; who has joined already goes on."""
        return self.value(FlagKey.ONBOARDING_PAUSED, space_id)

    def webhook_retries_paused(self, integration_id: str = EVERYWHERE, space_id: str = EVERYWHERE) -> bool:
        """True holds deliveries back; nothing is lost."""
        return self.value(FlagKey.WEBHOOK_RETRIES_PAUSED, integration_id, space_id)

    def value(self, key: FlagKey, scope: str, within: str = EVERYWHERE) -> bool:
        if not self._following and time.monotonic() - self._looked_at > POLL_S:
            self.refresh()
        age, asked = self.age_seconds, (key, scope, within)
        if age > rules.TRUSTED_FOR_SECONDS:
            return rules.effective(key, scope, self._stored, age, self.overrides, within)
        found = self._found.get(asked)
        if found is None:
            found = rules.effective(key, scope, self._stored, age, self.overrides, within)
            self._found[asked] = found
        return found

    def overridden(self, key: FlagKey, scope: str) -> bool:
        """Whether the environment has the last word on it."""
        return any((key, place) in self.overrides for place in (scope, EVERYWHERE))

    @property
    def age_seconds(self) -> float:
        """Since the store was last read; infinite before the first time."""
        return time.monotonic() - self._read_at

    @property
    def fingerprint(self) -> str:
        """Of the values that this process goes by; "" where it knows none."""
        return rules.fingerprint(self._stored) if self._stored is not None else ""

    def refresh(self) -> None:
        """Read the store now, as after a change of one's own. A database that is away is no error."""
        with self._lock:
            self._looked_at = time.monotonic()
            try:
                with psycopg.connect(
                    self._address.url,
                    autocommit=True,
                    application_name=_NAME,
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    options=_OPTIONS,
                ) as connection:
                    self._take(connection.execute(CURRENT).fetchall())
            except psycopg.Error as error:
                self._note_absence(error)

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Keep reading in the background while the block runs."""
        if self._stored is None:
            await asyncio.to_thread(self.refresh)
        task = asyncio.create_task(self._follow())
        self._following = True
        try:
            yield
        finally:
            self._following = False
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, TimeoutError) as error:
                self._note_absence(error)
            await asyncio.sleep(POLL_S / 2)

    async def _listen(self) -> None:
        """Until the connection fails, or the address changes; what failed once is not trusted again."""
        url = self._address.url
        async with await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            application_name=_NAME,
            connect_timeout=_CONNECT_TIMEOUT_S,
            options=_OPTIONS,
        ) as connection:
            await connection.execute("listen flags")
            while not self._address.stale(url):
                async with asyncio.timeout(ANSWER_S):
                    cursor = await connection.execute(CURRENT)
                    self._take(await cursor.fetchall())
                async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                    pass

    def _take(self, rows: list[Any]) -> None:
        self._stored, self._found = rules.values_of(rows), {}
        self._read_at = time.monotonic()
        if self._away:
            self._away = False
            _log.info("flags are read again")

    def _note_absence(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            _log.error("flags cannot be read", kind=type(error).__name__, known=self._stored is not None)
