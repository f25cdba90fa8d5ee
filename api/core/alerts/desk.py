"""claim → send → settle, and the checks: what the API's loop, the safety net and the command line all run."""

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from api.core.alerts import outbox, watching
from api.core.alerts.messages import AlertChannel, Throttled
from api.core.alerts.outbox import Claim, Words
from api.core.clock import Clock
from api.core.errors import FirstUserError, ProviderError

_log = structlog.get_logger("alerts")


@dataclass(frozen=True, slots=True)
class Desk:
    """`transaction` commits at the end of its block. Any number of desks may work at once. `also_check` looks
    at what alerts know nothing of."""

    transaction: Callable[[], AbstractContextManager[Session]]
    channels: Mapping[str, AlertChannel]
    words: Words
    clock: Clock
    also_check: Callable[[Session, datetime], None] = lambda _session, _now: None

    def send_due(self, limit: int = 100) -> int:
        """Send what may go now, a message a second and channel; returns how many were accepted."""
        accepted = 0
        for _ in range(limit):
            with self.transaction() as session:
                claimed = outbox.claim(session, self.channels, self.words, self.clock())
            if claimed is None:
                break
            accepted += self._send(claimed)
        return accepted

    def check(self) -> bool:
        """Look at heartbeats, repeats and what is over; False when another desk does."""
        with self.transaction() as session:
            now = self.clock()
            looked = watching.check(session, self.words.env, now)
            if looked:
                self.also_check(session, now)
            return looked

    def _send(self, claimed: Claim) -> bool:
        channel = self.channels[claimed.channel]
        try:
            receipt = channel.send(claimed.message)
        except ProviderError as error:
            self._settle_failure(claimed, error)
            return False
        with self.transaction() as session:
            marked = outbox.sent(session, claimed, receipt, self.clock())
        _log.info("alert sent", message=claimed.message.id, channel=claimed.channel, marked=marked)
        self._read_back(claimed, channel, receipt)
        return True

    def _settle_failure(self, claimed: Claim, error: ProviderError) -> None:
        _log.warning(
            "alert not sent", message=claimed.message.id, channel=claimed.channel, error=error.message
        )
        now = self.clock()
        with self.transaction() as session:
            if not error.retryable:
                outbox.dead(session, claimed, error.message, self.words, now)
                return
            outbox.failed(
                session,
                claimed,
                error.message,
                others=len(self.channels) > 1,
                now=now,
                chance=random.random(),  # noqa: S311  spreads retries, protects nothing
                retry_after=error.retry_after if isinstance(error, Throttled) else None,
            )

    def _read_back(self, claimed: Claim, channel: AlertChannel, receipt: str) -> None:
        try:
            there = channel.read_back(receipt)
        except FirstUserError as error:
            _log.warning("alert not read back", message=claimed.message.id, error=error.message)
            return
        if there:
            with self.transaction() as session:
                outbox.read_back(session, claimed, self.clock())
