"""Sending a test event for a partner or a founder: the steps around the network, and its JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from api.core.access import milestones
from api.core.access.models import Integration
from api.core.errors import Refused
from api.core.webhooks import trials
from api.core.webhooks.attempts import Attempt, Failure
from api.core.webhooks.trials import Trial
from api.db.engine import Session
from api.http.errors import RateLimited
from api.http.services import Services

TRIAL_CODES = (
    "webhook_url_missing",
    "signing_secret_missing",
    "webhook_url_not_allowed",
    "refused",
)
"""What a test may be refused with, besides what every call may."""


class WebhookTestOut(BaseModel):
    """`delivered`: the answer was 2xx. Otherwise `failure` says why: `refused` (any other status),
    `redirected`, `timed_out`, `connect_failed`, `tls_failed`, `dns_failed`, `broken_off`, `held`."""

    object: Literal["webhook_test"] = "webhook_test"
    delivered: bool
    failure: str | None
    status_code: int | None
    latency_ms: int
    message_id: str
    response_excerpt: str


@dataclass(frozen=True, slots=True)
class SentTrial:
    trial: Trial
    attempt: Attempt
    delivery_id: str | None = None

    def out(self) -> WebhookTestOut:
        return WebhookTestOut(
            delivered=self.attempt.delivered,
            failure=self.attempt.failure,
            status_code=self.attempt.status_code,
            latency_ms=self.attempt.latency_ms,
            message_id=self.trial.message_id,
            response_excerpt=self.attempt.excerpt,
        )


async def send(at: Services, actor: str, find: Callable[[Session], Integration]) -> SentTrial:
    """Raises `RateLimited`, `Conflict` and `Refused` (see `TRIAL_CODES`), and what `find` raises."""
    trial = await run_in_threadpool(_prepare, at, actor, find)
    attempt = await at.webhooks.post(trial.url, trial.headers, trial.body)
    delivery_id = await run_in_threadpool(_note, at, trial, attempt)
    if attempt.failure is Failure.ADDRESS_BLOCKED:
        raise Refused(
            f"The webhook address is not allowed: {attempt.detail}",
            fix="Register an https URL whose host has a public address.",
            code="webhook_url_not_allowed",
        )
    return SentTrial(trial, attempt, delivery_id)


def _prepare(at: Services, actor: str, find: Callable[[Session], Integration]) -> Trial:
    with at.transaction() as session:
        found, now = find(session), at.clock()
        seconds = trials.wait(session, found.id, now)
        if seconds:
            raise RateLimited(seconds)
        return trials.prepare(
            session,
            at.vault,
            found.id,
            found.webhook_url,
            actor,
            now,
            at.webhook_fallback,
        )


def _note(at: Services, trial: Trial, attempt: Attempt) -> str | None:
    with at.transaction() as session:
        if attempt.delivered:
            milestones.reached(session, trial.integration_id, "webhook_test", at.clock())
        return trials.note(session, trial, attempt, at.clock())
