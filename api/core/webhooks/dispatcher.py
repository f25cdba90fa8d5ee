"""Claim, send, settle, over and over: what a dispatcher process does all day and a retry run for its slice.

No transaction is open while anything is sent. Every endpoint has its own queue and its own limit in flight,
so that one that hangs keeps only itself waiting; what cannot be started while its lease still covers the
deadline of an attempt is given back unsent. When the database goes away, what was tried waits for it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from time import monotonic

from sqlalchemy.orm import Session
from structlog import get_logger

from api.core.crypto import Vault
from api.core.errors import Refused
from api.core.webhooks import claiming, delivery_queries, lanes, schedule, secrets, settling
from api.core.webhooks.attempts import Attempt, Failure, Sender
from api.core.webhooks.claiming import MOST, Claimed
from api.core.webhooks.lanes import Lane
from api.core.webhooks.schedule import Outcome, Verdict
from api.core.webhooks.settling import Settled, Tried
from api.core.webhooks.totals import CLAIMED, Count
from api.db.engine import DATABASE_AWAY

BACKLOG = 800
"""Claimed deliveries that are getting on: with fewer, more are claimed."""

SWEEP_S = 60.0

_SETTLE_AT = 200
_SETTLE_EVERY_S = 0.02
_STUCK_S = 0.5
_MOMENT_S = 0.001
_log = get_logger("webhooks.dispatcher")


@dataclass(frozen=True, slots=True)
class Ports:
    """`may_send` reads the switches in the transaction of a claim. `on_settled` runs in that of a settling:
    what it raises undoes it. `tend` is for whoever runs a loop: what there is to do now and then.
    `uncounted`: integrations that are sent to and in no total."""

    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    sender: Sender
    may_send: Callable[[Session], Callable[[str], bool]]
    fallback: Iterable[str] | None
    on_settled: Callable[[Session, Settled, datetime], None] = lambda _session, _settled, _now: None
    tend: Callable[[Session], None] = lambda _session: None
    uncounted: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """Of one process: deliveries that wait, attempts on their way, and how many endpoints' they are."""

    waiting: int
    in_flight: int
    endpoints: int


class Dispatcher:
    """`tally` counts outcomes and `claimed`, `count` the same for `totals`; `last_round` is a monotonic
    moment."""

    def __init__(self, ports: Ports, poll_s: float = 0.3) -> None:
        self.tally: Counter[str] = Counter()
        self.count = Count()
        self._ports = ports
        self._poll_s = poll_s
        self._lanes: dict[str, Lane] = {}
        self._flying: set[asyncio.Task[None]] = set()
        self._tried: list[Tried] = []
        self._claimed = 0
        self._behind = ""
        self._clock: tuple[datetime, float] | None = None
        self._moment: tuple[datetime, float] | None = None
        self._sweep_at = 0.0
        self._changed = asyncio.Event()
        self.last_round = monotonic()

    async def run(self, stop: asyncio.Event, until_empty: bool = False) -> None:
        """Until `stop`, or with `until_empty` until nothing is due; what is in flight is settled first."""
        settling_all = asyncio.create_task(self._settle_all(stop))
        freshening = asyncio.create_task(self._freshen_keys())
        try:
            while not (stop.is_set() or settling_all.done() or freshening.done()):
                busy = self._claimed > 0  # what is settled during a claim may leave a lane with something due
                found = await self._claim() if self._backlog() < BACKLOG else -1
                if found == 0 and until_empty and not busy:
                    break
                if found <= 0:
                    await self._pause(found)
        finally:
            stop.set()
            freshening.cancel()
            self._give_back_waiting()
            self._changed.set()
            await settling_all
            await _end(freshening)

    def held(self) -> Held:
        """At this moment; may be asked from another thread."""
        lanes = list(self._lanes.values())
        return Held(sum(len(lane.waiting) for lane in lanes), sum(lane.flying for lane in lanes), len(lanes))

    def _backlog(self) -> int:
        """Endpoints that hang do not count: nobody else waits for them."""
        since = monotonic() - _STUCK_S
        return sum(len(lane.waiting) + lane.flying for lane in self._lanes.values() if lane.moved > since)

    async def _pause(self, found: int) -> None:
        """A little while after an empty claim; otherwise until something has been settled."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), self._poll_s)
        except TimeoutError:
            return
        if found == 0:
            await asyncio.sleep(_SETTLE_EVERY_S)

    async def _claim(self) -> int:
        """How many; -1 when nobody knows."""
        try:
            claimed, now, asked = await asyncio.to_thread(self._claim_now)
        except DATABASE_AWAY as error:
            _log.warning("no claim", kind=type(error).__name__)
            await asyncio.sleep(self._poll_s)
            return -1
        self.last_round = monotonic()
        self._clock = (now, asked)
        self._claimed += len(claimed)
        self.tally["claimed"] += len(claimed)
        self.count.numbers[CLAIMED] += sum(self._counts(one) for one in claimed)
        for endpoint, more in groupby(claimed, lambda one: one.endpoint.id):
            self._lanes.setdefault(endpoint, Lane()).claimed(list(more), asked)
            self._start(endpoint)
        if claimed:
            self._behind = claimed[-1].endpoint.id
        return len(claimed)

    def _claim_now(self) -> tuple[Sequence[Claimed], datetime, float]:
        if monotonic() > self._sweep_at:
            with self._ports.transaction() as session:
                claiming.sweep(session)
            self._sweep_at = monotonic() + SWEEP_S
        with self._ports.transaction() as session:
            now, asked = delivery_queries.clock(session), monotonic()
            may_send = self._ports.may_send(session)
            claimed = claiming.claim(
                session, self._ports.vault, now, may_send, self._ports.fallback, self._behind, MOST
            )
        return claimed, now, asked

    def _start(self, endpoint_id: str) -> None:
        lane = self._lanes[endpoint_id]
        while lane.waiting and lane.closed:
            self._give_back(lane.waiting.popleft())
        for _ in range(lane.room):
            lane.flying += 1
            task = asyncio.create_task(self._fly(endpoint_id, lane))
            self._flying.add(task)
            task.add_done_callback(self._flying.discard)
        if not lane.waiting and not lane.flying:
            self._lanes.pop(endpoint_id, None)

    async def _fly(self, endpoint_id: str, lane: Lane) -> None:
        """One delivery after another, as long as there are any."""
        while lane.waiting and not lane.closed:
            one, at = lane.waiting.popleft(), self._now()
            attempt = await self._attempt(one, lane, at)
            lane.moved = monotonic()
            lane.failures = 0 if attempt.delivered else lane.failures + 1
            luck = random.random()  # noqa: S311  spreads retries, hides nothing
            now = at if attempt.delivered else self._now()
            verdict = schedule.decide(attempt, one.attempts, one.created_at, now, luck)
            if not attempt.delivered:
                _tell(one, attempt, verdict)
            self._note(Tried(one, at, attempt, verdict))
        lane.flying -= 1
        self._start(endpoint_id)

    async def _freshen_keys(self) -> None:
        """Lanes that take longer than `KEYS_GOOD_FOR_S` are given what holds now."""
        while True:
            await asyncio.sleep(lanes.KEYS_GOOD_FOR_S)
            asked = monotonic()
            before = asked - lanes.KEYS_GOOD_FOR_S
            slow = [lane for lane in self._lanes.values() if lane.waiting and lane.keys_read < before]
            if not slow:
                continue
            try:
                keys = await asyncio.to_thread(
                    self._keys_now, sorted({lane.waiting[0].endpoint.integration_id for lane in slow})
                )
            except DATABASE_AWAY as error:
                _log.warning("secrets not read again", kind=type(error).__name__)
                continue
            for lane in slow:
                if lane.waiting and lane.keys_read < before:
                    lane.sign_by(keys[lane.waiting[0].endpoint.integration_id], asked)

    def _keys_now(self, integrations: Sequence[str]) -> Mapping[str, Sequence[str]]:
        with self._ports.transaction() as session:
            now = delivery_queries.clock(session)
            return secrets.valid_of_all(session, self._ports.vault, integrations, now, self._ports.fallback)

    async def _attempt(self, one: Claimed, lane: Lane, at: datetime) -> Attempt:
        if lane.unsigned:
            return Attempt(Failure.UNSIGNED, detail=lane.unsigned)
        headers = lane.signer.headers(one.message_id, at, one.body)
        try:
            return await self._ports.sender.post(one.endpoint.url, headers, one.body)
        except Refused as refused:
            return Attempt(Failure.ADDRESS_BLOCKED, detail=str(refused))

    def _give_back(self, one: Claimed) -> None:
        now = self._now()
        self._note(Tried(one, now, None, Verdict(Outcome.RELEASED, one.attempts, now)))

    def _give_back_waiting(self) -> None:
        for lane in self._lanes.values():
            while lane.waiting:
                self._give_back(lane.waiting.popleft())

    def _note(self, tried: Tried) -> None:
        self._tried.append(tried)
        if len(self._tried) >= _SETTLE_AT:
            self._changed.set()

    async def _settle_all(self, stop: asyncio.Event) -> None:
        """Until `stop`, and then until all that flies has landed."""
        while not stop.is_set() or self._flying or self._tried:
            await asyncio.sleep(0 if len(self._tried) >= _SETTLE_AT else _SETTLE_EVERY_S)
            if not self._tried:
                continue
            batch, self._tried = self._tried, []
            try:
                settled = await asyncio.to_thread(self._settle_now, batch)
            except DATABASE_AWAY as error:
                _log.warning("not settled yet", kind=type(error).__name__, deliveries=len(batch))
                self._tried = batch + self._tried
                await asyncio.sleep(self._poll_s)
                continue
            self._claimed -= len(batch)
            self.tally.update(settled.outcomes)
            self.tally["lost claims"] += len(batch) - len(settled.tried)
            self._count(batch, settled)
            self._changed.set()

    def _count(self, batch: Sequence[Tried], settled: Settled) -> None:
        counted = self._counted(batch)
        still = counted if settled.tried is batch else self._counted(settled.tried)
        self.count.numbers.update(settling.outcomes(still))
        self.count.tried([one.attempt.latency_ms for one in counted if one.attempt is not None])

    def _counted(self, tried: Sequence[Tried]) -> Sequence[Tried]:
        return [one for one in tried if self._counts(one.claimed)]

    def _counts(self, claimed: Claimed) -> bool:
        return claimed.endpoint.integration_id not in self._ports.uncounted

    def _settle_now(self, batch: Sequence[Tried]) -> Settled:
        with self._ports.transaction() as session:
            now = self._now()
            settled = settling.settle(session, batch, now)
            self._ports.on_settled(session, settled, now)
        return settled

    def _now(self) -> datetime:
        """The database's clock, as of the last claim and carried on by ours; a moment old at most."""
        if self._clock is None:
            raise RuntimeError("nothing was claimed yet")
        now = monotonic()
        if self._moment is None or now - self._moment[1] > _MOMENT_S:
            read, at = self._clock
            self._moment = (read + timedelta(seconds=now - at), now)
        return self._moment[0]


def _tell(one: Claimed, attempt: Attempt, verdict: Verdict) -> None:
    """What went well is counted; what did not has a line of its own, without the partner's address."""
    _log.info(
        "webhook not accepted",
        delivery_id=str(one.id),
        message_id=one.message_id,
        endpoint_id=one.endpoint.id,
        integration_id=one.endpoint.integration_id,
        attempt=verdict.attempts,
        failure=attempt.failure.value if attempt.failure else None,
        status=attempt.status_code,
        outcome=verdict.outcome.value,
    )


async def _end(cancelled: asyncio.Task[None]) -> None:
    """What it failed with before is raised."""
    await asyncio.wait({cancelled})
    if not cancelled.cancelled():
        cancelled.result()
