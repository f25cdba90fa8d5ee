"""Claiming what is due: fairly across endpoints, for the time of a lease, with the secrets to sign with.

Claim, act, settle: a claim is committed before anything is sent. A worker that dies lets its lease run out,
and another one claims; what it settles late is refused, because the claim is no longer its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.webhooks import breaker, delivery_queries, secrets
from api.core.webhooks.breaker import Health

LEASE = timedelta(seconds=60)
MOST = 500
_ENDPOINTS = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    id: str
    integration_id: str
    url: str
    concurrency: int
    keys: Sequence[str]
    failing: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """One delivery to be sent now: these bytes, under the message's id."""

    id: UUID
    claim_id: UUID
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
    fallback: str | None,
    behind: str = "",
    most: int = MOST,
) -> Sequence[Claimed]:
    """`may_send` of an integration's id: what is paused stays due. `behind`: the endpoint to go on after."""
    delivery_queries.reap(session, now)
    found = [
        row
        for row in delivery_queries.candidates(session, now, behind, _ENDPOINTS)
        if may_send(row["integration_id"])
    ]
    tokens = {row["id"]: breaker.refilled(row["tokens"], row["rate"], row["tokens_at"], now) for row in found}
    quotas = {
        row["id"]: breaker.quota(
            Health(row["failures"], row["failing_since"], row["not_before"]),
            row["concurrency"],
            tokens[row["id"]],
            now,
        )
        for row in found
    }
    quotas = {endpoint: quota for endpoint, quota in quotas.items() if quota}
    if not quotas:
        return []
    claim_id = uuid4()
    rows = delivery_queries.claim(session, quotas, claim_id, now, now + LEASE, most)
    for row in rows:
        tokens[row["endpoint_id"]] -= 1
    used = {row["endpoint_id"] for row in rows}
    delivery_queries.spend(session, {endpoint: tokens[endpoint] for endpoint in sorted(used)}, now)
    endpoints = {
        row["id"]: Endpoint(
            row["id"],
            row["integration_id"],
            row["url"],
            row["concurrency"],
            secrets.valid(session, vault, row["integration_id"], now, fallback),
            failing=bool(row["failures"]),
        )
        for row in found
        if row["id"] in used
    }
    return [
        Claimed(
            row["id"],
            claim_id,
            endpoints[row["endpoint_id"]],
            f"msg_{row['message_id'].hex}",
            bytes(row["body"]),
            row["attempts"],
            row["created_at"],
        )
        for row in rows
    ]
