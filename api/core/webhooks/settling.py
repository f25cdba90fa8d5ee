"""Settling what was tried, many at once: one statement for the deliveries, one more where an endpoint fares
differently than before. Only what is still claimed by the caller is settled."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import orjson
from sqlalchemy.orm import Session

from api.core.webhooks import breaker, delivery_queries, events
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.breaker import Health
from api.core.webhooks.claiming import Claimed
from api.core.webhooks.schedule import Outcome, Verdict


class Tried(NamedTuple):
    """`attempt` is None for what was given back unsent."""

    claimed: Claimed
    at: datetime
    attempt: Attempt | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Settled:
    """What changed hands (`tried`): `exhausted` and `disabled` (endpoint id → why) are for alerts, to be
    raised in the same transaction."""

    tried: Sequence[Tried]
    exhausted: Sequence[Tried]
    disabled: Sequence[tuple[str, str]]

    @property
    def outcomes(self) -> Counter[str]:
        return outcomes(self.tried)


def outcomes(tried: Sequence[Tried]) -> Counter[str]:
    found = Counter([one.verdict.outcome for one in tried])
    return Counter({outcome.value: number for outcome, number in found.items()})


def settle(session: Session, tried: Sequence[Tried], now: datetime) -> Settled:
    """Endpoints first, in their order: two workers never wait for each other in a circle."""
    disabled = _fare(session, tried, now)
    lost = delivery_queries.settle(session, _document(tried))
    settled = [one for one in tried if (one.claimed.id, one.claimed.claim_id) not in lost] if lost else tried
    exhausted = [one for one in settled if one.verdict.outcome is Outcome.EXHAUSTED]
    return Settled(settled, exhausted, disabled)


def _fare(session: Session, tried: Sequence[Tried], now: datetime) -> list[tuple[str, str]]:
    """Write down how the endpoints fare; those of which all went well, as before, are not even read."""
    changing = {
        one.claimed.endpoint.id
        for one in tried
        if one.claimed.endpoint.failing or (one.attempt is not None and not one.attempt.delivered)
    }
    attempts = _attempts_of(changing, tried)
    disabled: list[tuple[str, str]] = []
    for row in delivery_queries.hold_endpoints(session, sorted(changing)) if changing else ():
        before = Health(row["failures"], row["failing_since"], row["not_before"])
        health = breaker.after_all(before, attempts[row["id"]], now)
        if health != before:
            values = {
                "id": row["id"],
                "failures": health.failures,
                "failing_since": health.failing_since,
                "not_before": health.not_before,
                "disabled": health.disabled,
            }
            delivery_queries.put_health(session, values)
            if health.disabled and row["state"] == "enabled":
                disabled.append((row["id"], health.disabled))
    return disabled


def _attempts_of(endpoints: Collection[str], tried: Sequence[Tried]) -> Mapping[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = {endpoint: [] for endpoint in endpoints}
    for one in tried if endpoints else ():
        if one.attempt is not None and one.claimed.endpoint.id in found:
            found[one.claimed.endpoint.id].append(one.attempt)
    return found


def _document(tried: Sequence[Tried]) -> str:
    return orjson.dumps([_row(one) for one in tried]).decode()


def _row(one: Tried) -> dict[str, object]:
    claimed, attempt, verdict = one.claimed, one.attempt, one.verdict
    row: dict[str, object] = {
        "id": claimed.id,
        "endpoint_id": claimed.endpoint.id,
        "claim_id": claimed.claim_id,
        "outcome": verdict.outcome,
        "attempts": verdict.attempts,
        "at": one.at,
    }
    if verdict.next_attempt_at is not None:
        row["next_attempt_at"] = verdict.next_attempt_at
    if attempt is not None:
        row["latency_ms"] = attempt.latency_ms
        row["status"] = attempt.status_code
        row["address"] = attempt.address
        if attempt.excerpt and events.answers_kept(claimed.body):
            row["response"] = attempt.excerpt
        if attempt.failure is not None:
            row["failure"] = attempt.failure
            row["detail"] = attempt.detail
    return row
