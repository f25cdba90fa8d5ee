"""What is asked many times a second, answered in batches: heartbeats and exchanges."""

import asyncio
import secrets
from collections.abc import Sequence
from functools import partial

import structlog

from api.core.access import exchange
from api.core.access.exchange import Exchanged, Outcome
from api.core.access.exchange_rules import Attempt
from api.core.errors import Refused
from api.core.presence import service as presence
from api.core.presence.rules import Beat
from api.db.hot import HotConnections
from api.http.batching import Batches

_LARGEST_BATCH = 500
_log = structlog.get_logger("api.exchange")


class HotCalls:
    """`heartbeats`: (integration, beats) → (accepted, rejected). `exchanges`: attempt → outcome."""

    def __init__(self, connections: HotConnections) -> None:
        self._connections = connections
        self.heartbeats: Batches[tuple[str, Sequence[Beat]], tuple[int, int]] = Batches(
            self._record, _LARGEST_BATCH
        )
        self.exchanges: Batches[Attempt, Outcome] = Batches(self._exchange, _LARGEST_BATCH)
        self._noted: set[tuple[str, str]] = set()

    def noted(self, integration_id: str, key: str) -> bool:
        """This first time has been written down."""
        return (integration_id, key) in self._noted

    def note(self, integration_id: str, key: str) -> None:
        self._noted.add((integration_id, key))

    async def drain(self) -> None:
        """Return when nobody waits any more."""
        await asyncio.gather(self.heartbeats.drain(), self.exchanges.drain())

    async def _record(self, calls: Sequence[tuple[str, Sequence[Beat]]]) -> Sequence[tuple[int, int]]:
        return await self._connections.run(partial(presence.record_many, calls=calls))

    async def _exchange(self, attempts: Sequence[Attempt]) -> Sequence[Outcome]:
        return await self._connections.run(partial(exchange.exchange, attempts=attempts))


def attempt_key(idempotency_key: str | None, request_id: str) -> str:
    """What tells this attempt from every other; a client cannot know our name of another request."""
    return f"client {idempotency_key}" if idempotency_key else f"request {request_id} {secrets.token_hex(8)}"


def granted(outcome: Outcome, integration_id: str, request_id: str) -> Exchanged:
    """Raises `Refused` `invalid_grant`, the same for every reason; the reason is in the log."""
    if isinstance(outcome, Exchanged):
        return outcome
    _log.info(
        "exchange denied",
        reason=outcome.reason,
        revoked=outcome.revokes,
        integration=integration_id,
        request=request_id,
    )
    raise Refused(
        "The access code cannot be exchanged.",
        fix="Send the user through the waiting list again.",
        code="invalid_grant",
    )
