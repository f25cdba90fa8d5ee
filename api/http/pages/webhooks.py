"""The webhooks page: address, events, secrets with their ages, a test event with its request and answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.core.access import service as access
from api.core.access.models import Integration
from api.core.audit import AuditedAct
from api.core.errors import Conflict, NotFound, Refused
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from api.core.founders.service import FounderView
from api.core.webhooks import endpoints as webhook_endpoints
from api.core.webhooks import events, secrets, trials
from api.core.webhooks.endpoints import EndpointView as PlaceView
from api.core.webhooks.secrets import SecretView
from api.db.engine import Session
from api.http import features, webhook_trials
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
    """`held`: nothing is sent now; `paused`: the integration itself is. `sent` or `problem` is the outcome of
    the test that was just asked for."""

    integration: Integration
    secrets: Sequence[SecretView]
    tests: Sequence[AuditedAct]
    places: Sequence[PlaceView]
    held: bool
    paused: bool
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


@router.post("/webhooks/pause")
def pause(at: At, who: SignedIn, paused: Annotated[bool, Form()], slug: Slug = None) -> Response:
    """Hold back what is due in the whole space, or let it go again."""
    with at.transaction() as session:
        chosen = choose(session, who, slug)
        if chosen.space is None:
            raise NotFound("There is no space.", fix="Sign in as its owner.")
        _switch(session, at, who, chosen.space.id, paused)
    at.flags.refresh()
    return RedirectResponse(f"/app/webhooks?space={chosen.space.slug}", 303)


@router.post("/webhooks/{integration_id}/pause")
def pause_integration(
    at: At, who: SignedIn, integration_id: str, paused: Annotated[bool, Form()], slug: Slug = None
) -> Response:
    """The same for one integration."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        _switch(session, at, who, integration_id, paused)
    at.flags.refresh()
    return RedirectResponse(f"/app/webhooks?space={slug}" if slug else "/app/webhooks", 303)


def _switch(session: Session, at: Services, who: FounderView, scope: str, paused: bool) -> None:
    reason = "Paused on the webhooks page." if paused else "Resumed on the webhooks page."
    features.change(session, at, FlagKey.WEBHOOK_RETRIES_PAUSED, scope, paused, who.id, reason)


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
        space = chosen.space
        scopes = [space.id, *(one.id for one in space.integrations)]
        switches = flags.switches(session, FlagKey.WEBHOOK_RETRIES_PAUSED, scopes)
        paused = {one.scope for one in switches if one.value}
        endpoints = [
            EndpointView(
                one,
                secrets.of_integration(session, one.id),
                trials.last(session, one.id, _SHOWN),
                webhook_endpoints.of_integrations(session, [one.id]),
                at.flags.webhook_retries_paused(one.id, space.id),
                one.id in paused,
                sent if one.id == tested else None,
                problem if one.id == tested else "",
            )
            for one in space.integrations
        ]
    shown = {
        "who": who,
        "spaces": chosen.spaces,
        "space": space,
        "space_paused": space.id in paused,
        "all_paused": at.flags.webhook_retries_paused(),
        "endpoints": endpoints,
        "types": events.TYPES,
        "fallback": at.settings.platform.integration_webhook_signing_secret is not None,
        "now": at.clock(),
    }
    return render(request, "webhooks.html", shown, title="Webhooks", status=422 if problem else 200)
