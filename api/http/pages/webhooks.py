"""The webhooks page: address, events, secrets with their ages, a test event with its request and answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.core.access import service as access
from api.core.access.models import Integration
from api.core.audit import AuditedAct
from api.core.errors import Conflict, Refused
from api.core.founders.service import FounderView
from api.core.webhooks import endpoints as webhook_endpoints
from api.core.webhooks import events, secrets, trials
from api.core.webhooks.endpoints import EndpointView as PlaceView
from api.core.webhooks.secrets import SecretView
from api.http import webhook_trials
from api.http.deps import At, SignedIn
from api.http.errors import RateLimited
from api.http.pages.rendering import render
from api.http.pages.spaces import Slug, choose
from api.http.services import Services
from api.http.webhook_trials import SentTrial

router = APIRouter(prefix="/app", include_in_schema=False)
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class EndpointView:
    """`sent` or `problem` is the outcome of the test that was just asked for."""

    integration: Integration
    secrets: Sequence[SecretView]
    tests: Sequence[AuditedAct]
    places: Sequence[PlaceView]
    held: bool
    sent: SentTrial | None = None
    problem: str = ""


@router.get("/webhooks")
def webhooks(request: Request, at: At, who: SignedIn, slug: Slug = None) -> Response:
    return _page(request, at, who, slug)


@router.post("/webhooks/{integration_id}/test")
async def test(request: Request, at: At, who: SignedIn, integration_id: str, slug: Slug = None) -> Response:
    find = partial(access.integration, founder_id=who.id, integration_id=integration_id)
    sent, problem = None, ""
    try:
        sent = await webhook_trials.send(at, who.id, find)
    except (Conflict, Refused) as error:
        problem = str(error)
    except RateLimited as error:
        problem = f"That were many tests. Try again in {error.retry_after} s."
    return await run_in_threadpool(_page, request, at, who, slug, integration_id, sent, problem)


def _page(
    request: Request,
    at: Services,
    who: FounderView,
    slug: str | None,
    tested: str = "",
    sent: SentTrial | None = None,
    problem: str = "",
) -> Response:
    with at.transaction() as session:
        chosen = choose(session, who, slug)
        if chosen.space is None:
            return render(request, "no_space.html", {"who": who}, title="Welcome")
        endpoints = [
            EndpointView(
                one,
                secrets.of_integration(session, one.id),
                trials.last(session, one.id, _SHOWN),
                webhook_endpoints.of_integrations(session, [one.id]),
                at.flags.webhook_retries_paused(one.id),
                sent if one.id == tested else None,
                problem if one.id == tested else "",
            )
            for one in chosen.space.integrations
        ]
    shown = {
        "who": who,
        "spaces": chosen.spaces,
        "space": chosen.space,
        "endpoints": endpoints,
        "types": events.TYPES,
        "fallback": at.settings.platform.integration_webhook_signing_secret is not None,
        "now": at.clock(),
    }
    return render(request, "webhooks.html", shown, title="Webhooks", status=422 if problem else 200)
