"""Webhooks by API: a partner, or its founder, has a test event sent and sees how it went."""

from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from api.core.access import service as access
from api.core.access.models import Integration
from api.db.engine import Session
from api.http import webhook_trials
from api.http.deps import At, Partner, SignedIn
from api.http.problems import FOUNDER_CODES, PARTNER_CODES, documented
from api.http.webhook_trials import TRIAL_CODES, SentTrial, WebhookTestOut

partners = APIRouter(prefix="/api/integration/v1", tags=["integration"])
founders = APIRouter(prefix="/api/founder/v1", tags=["founder"])


class SentRequestOut(BaseModel):
    """What was sent: verify the signature over exactly this body."""

    url: str
    headers: dict[str, str]
    body: str


class FounderWebhookTestOut(WebhookTestOut):
    request: SentRequestOut


@partners.post("/webhooks/test", responses=documented(*PARTNER_CODES, *TRIAL_CODES))
async def test_webhook(at: At, integration_id: Partner) -> WebhookTestOut:
    """Sends a `webhook.test` event to the registered address, signed with every valid secret; up to 5 a
    minute. Answers when the receiver did, after 15 s at the latest."""

    def find(session: Session) -> Integration:
        return access.called(session, integration_id, at.clock())

    sent = await webhook_trials.send(at, integration_id, find)
    return sent.out()


@founders.post(
    "/integrations/{integration_id}/webhooks/test",
    responses=documented(*FOUNDER_CODES, *TRIAL_CODES, "rate_limited", "foreign_origin"),
)
async def test_webhook_of(at: At, who: SignedIn, integration_id: str) -> FounderWebhookTestOut:
    """As the partner's own test, with what was sent."""
    find = partial(access.integration, founder_id=who.id, integration_id=integration_id)
    return _with_request(await webhook_trials.send(at, who.id, find))


def _with_request(sent: SentTrial) -> FounderWebhookTestOut:
    trial = sent.trial
    request = SentRequestOut(url=trial.url, headers=trial.headers, body=trial.body.decode())
    return FounderWebhookTestOut(request=request, **sent.out().model_dump())
