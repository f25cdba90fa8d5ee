"""Claiming what is due: fairly across endpoints, for the time of a lease, with the secrets to sign with.

Claim, act, settle: a claim is committed before anything is sent. It holds an endpoint's lane, which only one
worker does at a time, until all that was taken from it is settled. A worker that dies lets its lease run out,
and another one claims; what it settles late is refused, because the claim is no longer the lane's last.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.webhooks import breaker, delivery_queries, secrets
from api.core.webhooks.breaker import Health
from api.core.webhooks.delivery_queries import Candidate

LEASE = timedelta(seconds=60)
MOST = 500
_PAGE = 32
_LAST = "~"  # behind every id


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    integration_id: str
    url: str
    concurrency: int
    keys: Sequence[str]
    failing: bool = False


class Claimed(NamedTuple):
    """One delivery to be sent now: these bytes, under the message's id. `claim_id` is its lane's."""

    id: str
    claim_id: int
    endpoint: Endpoint
    message_id: str
    body: bytes
    attempts: int
    created_at: datetime


def claim(
    session: Session,
    vault: Vault,
    now: datetime,
    may_send: Callable[[str], bool],
    fallback: Iterable[str] | None,
    behind: str = "",
    most: int = MOST,
) -> Sequence[Claimed]:
    """`may_send` of an integration's id: what is paused stays due. `behind`: the endpoint to go on after.
    Endpoint by endpoint, so the last one's is where the next claim goes on."""
    found: dict[str, Candidate] = {}
    rows: list[tuple[Any, ...]] = []
    for page in _pages(session, now, behind):
        asked = {row.id: row for row in page if may_send(row.integration_id)}
        found |= asked
        rows += _take(session, asked, now, most - len(rows))
        if len(rows) >= most:
            break
    used = {row[2]: found[row[2]] for row in rows}
    claims = {endpoint: row.claim_id + 1 for endpoint, row in used.items()}
    endpoints = _endpoints(session, vault, used, now, fallback)
    return [
        Claimed(id, claims[endpoint], endpoints[endpoint], message_id, body, attempts, created_at)
        for id, message_id, endpoint, attempts, created_at, body in rows
    ]


def sweep(session: Session) -> None:
    """What is due and was passed over is found again: it was published late, or dated back. No lane stays
    held for longer than a lease because the clock was ahead. For a loop to do once a minute."""
    delivery_queries.sweep(session)
    delivery_queries.set_back(session, delivery_queries.clock(session), LEASE)


def _pages(session: Session, now: datetime, behind: str) -> Iterator[Sequence[Candidate]]:
    """Once around."""
    for first, last in ((behind, _LAST), ("", behind)):
        full = first < last
        while full:
            page = delivery_queries.candidates(session, now, first, last, _PAGE)
            if page:
                yield page
                first = page[-1].id
            full = len(page) == _PAGE


def _take(
    session: Session, asked: Mapping[str, Candidate], now: datetime, most: int
) -> Sequence[tuple[Any, ...]]:
    tokens = {
        endpoint: breaker.refilled(row.tokens, row.rate, row.tokens_at, now)
        for endpoint, row in asked.items()
    }
    quotas = {
        endpoint: breaker.quota(
            Health(row.failures, row.failing_since, row.not_before),
            row.concurrency,
            tokens[endpoint],
            now,
        )
        for endpoint, row in asked.items()
    }
    wanted = {endpoint: row.claim_id for endpoint, row in asked.items() if quotas[endpoint]}
    held = delivery_queries.hold_lanes(session, wanted, now) if wanted else set[str]()
    mine = [endpoint for endpoint in wanted if endpoint in held]
    if not mine:
        return []
    columns = {
        "endpoints": mine,
        "claims": [wanted[endpoint] for endpoint in mine],
        "quotas": [quotas[endpoint] for endpoint in mine],
        "tokens": [tokens[endpoint] for endpoint in mine],
        "since": [asked[endpoint].since for endpoint in mine],
    }
    return delivery_queries.take(session, columns, now, now + LEASE, most)


def _endpoints(
    session: Session,
    vault: Vault,
    used: Mapping[str, Candidate],
    now: datetime,
    fallback: Iterable[str] | None,
) -> dict[str, Endpoint]:
    integrations = sorted({row.integration_id for row in used.values()})
    keys = secrets.valid_of_all(session, vault, integrations, now, fallback)
    return {
        endpoint: Endpoint(
            endpoint,
            row.integration_id,
            row.url,
            row.concurrency,
            keys[row.integration_id],
            failing=bool(row.failures),
        )
        for endpoint, row in used.items()
    }
