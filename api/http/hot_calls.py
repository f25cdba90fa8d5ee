"""What is asked many times a second, answered in batches."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import Any

import structlog
from psycopg import AsyncConnection

from api.core.access import exchange, lookups
from api.core.access.exchange import Exchanged, Outcome
from api.core.access.exchange_rules import Attempt
from api.core.access.lookups import IntegrationFacts
from api.core.clock import Clock
from api.core.errors import NotFound, Refused
from api.core.presence import pages
from api.core.presence import service as presence
from api.core.presence.pages import PageAsked
from api.core.presence.rules import Beat
from api.core.presence.service import LivePage
from api.db.hot import HotConnections
from api.http.batching import Batches
from api.http.live_counts import LiveCounts

_LARGEST_BATCH = 500
_AT_ONCE = 2
"""Exchanges read before they write: one batch reads while the other is being written to disk."""
_log = structlog.get_logger("api.exchange")


class HotCalls:
    """`heartbeats`: (integration, beats) → (accepted, rejected). `exchanges`: attempt → outcome.
    `live_pages`: page asked for → page. `integrations`: id → what is stored of it."""

    def __init__(
        self, connections: HotConnections, clock: Clock, live_counts: LiveCounts, live_window_seconds: int
    ) -> None:
        self._connections, self._clock = connections, clock
        self._live_counts, self._window = live_counts, live_window_seconds
        self.heartbeats: Batches[tuple[str, Sequence[Beat]], tuple[int, int]] = Batches(
            self._record, _LARGEST_BATCH
        )
        self.exchanges: Batches[Attempt, Outcome] = Batches(self._exchange, _LARGEST_BATCH, _AT_ONCE)
        self.live_pages: Batches[PageAsked, LivePage] = Batches(self._live, _LARGEST_BATCH)
        self.integrations: Batches[str, IntegrationFacts | None] = Batches(self._look_up, _LARGEST_BATCH)
        self._noted: set[tuple[str, str]] = set()

    def noted(self, integration_id: str, key: str) -> bool:
        """This first time has been written down."""
        return (integration_id, key) in self._noted

    def note(self, integration_id: str, key: str) -> None:
        self._noted.add((integration_id, key))

    async def drain(self) -> None:
        """Return when nobody waits any more."""
        lines = (self.heartbeats, self.exchanges, self.live_pages, self.integrations)
        await asyncio.gather(*[line.drain() for line in lines])

    async def _record(self, calls: Sequence[tuple[str, Sequence[Beat]]]) -> Sequence[tuple[int, int]]:
        return await self._connections.run(partial(presence.record_many, calls=calls))

    async def _exchange(self, attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        return await self._connections.run(partial(exchange.exchange, attempts=attempts))

    async def _look_up(self, integration_ids: Sequence[str]) -> Sequence[IntegrationFacts | None]:
        found = await self._connections.run(partial(lookups.integrations, integration_ids=integration_ids))
        return [found.get(each) for each in integration_ids]

    async def _live(self, asked: Sequence[PageAsked]) -> Sequence[LivePage]:
        """Who asks for the same page at the same time gets the same page."""
        different = list(dict.fromkeys(asked))
        found = await self._connections.run(partial(self._live_on, asked=different))
        given = dict(zip(different, found, strict=True))
        return [given[each] for each in asked]

    async def _live_on(self, connection: AsyncConnection[Any], asked: Sequence[PageAsked]) -> list[LivePage]:
        now, kept = self._clock(), self._live_counts
        counted = {each.integration_id: kept.known((each.integration_id,)) for each in asked}
        uncounted = [integration_id for integration_id, count in counted.items() if count is None]
        if uncounted:
            began = monotonic()
            since = now - timedelta(seconds=self._window)
            for integration_id, count in (await pages.counts(connection, uncounted, since)).items():
                counted[integration_id] = count
                kept.keep((integration_id,), count, began)
        known = {integration_id: count or 0 for integration_id, count in counted.items()}
        return await pages.pages(connection, asked, known, now, self._window)


def existing(found: IntegrationFacts | None, integration_id: str) -> IntegrationFacts:
    """Raises `NotFound`."""
    if found is None:
        raise NotFound(f"There is no integration {integration_id!r}.")
    return found


def attempt_key(idempotency_key: str | None, request_id: str) -> str:
    """What tells this attempt from every other: no client's key begins as our names of requests do."""
    return f"client {idempotency_key}" if idempotency_key else f"request {request_id}"


def granted(outcome: Outcome, integration_id: str, request_id: str) -> Exchanged:
    """Raises `Refused` `invalid_grant`, the same for every reason; the reason is in the log."""
    if isinstance(outcome, Exchanged):
        return outcome
    _log.info(
        "exchange denied",
        reason=outcome.reason,
        revoked=outcome.revokes,
        integration_id=integration_id,
        request_id=request_id,
    )
    raise Refused(
        "The access code cannot be exchanged.",
        fix="Send the user through the waiting list again.",
        code="invalid_grant",
    )
