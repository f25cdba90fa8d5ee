"""Pages of deliveries: an endpoint's, page by page, with replays; one with its request and every response."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.core.access import service as access
from api.core.errors import Conflict
from api.core.founders.service import FounderView
from api.core.webhooks import deliveries, endpoints, replays
from api.core.webhooks.deliveries import State
from api.core.webhooks.replays import Wanted
from api.http.deps import At, SignedIn
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/app/webhooks/{integration_id}", include_in_schema=False)
SHOWN = 25
STATES: Sequence[State] = ("open", "exhausted", "delivered")
_REPLAYS = 5
Chosen = Annotated[Literal["", "open", "exhausted", "delivered"], Query()]
Cursor = Annotated[str, Query(max_length=100)]


@router.get("/endpoints/{endpoint_id}")
def endpoint(
    request: Request,
    at: At,
    who: SignedIn,
    integration_id: str,
    endpoint_id: str,
    state: Chosen = "",
    cursor: Cursor = "",
) -> Response:
    return _page(request, at, who, integration_id, endpoint_id, state, cursor)


@router.post("/endpoints/{endpoint_id}/replays")
def replay(
    request: Request,
    at: At,
    who: SignedIn,
    integration_id: str,
    endpoint_id: str,
    hours: Annotated[int, Form(ge=1, le=720)],
    which: Annotated[Literal["exhausted", "all"], Form()],
    act: Annotated[Literal["count", "start"], Form()],
) -> Response:
    """`count` says what `start` would send."""
    now = at.clock()
    since = now - timedelta(hours=hours)
    wanted = Wanted(integration_id, endpoint_id, since, now, None, which == "exhausted")
    problem, counted = "", None
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        endpoints.of_integration(session, integration_id, endpoint_id)
        try:
            if act == "count":
                counted = replays.count(session, wanted)
            else:
                replays.start(session, wanted, who.id, now)
        except Conflict as error:
            problem = str(error)
    if act == "start" and not problem:
        return RedirectResponse(f"/app/webhooks/{integration_id}/endpoints/{endpoint_id}", 303)
    asked = (hours, which, counted)
    return _page(request, at, who, integration_id, endpoint_id, problem=problem, asked=asked)


@router.post("/endpoints/{endpoint_id}/replays/{replay_id}/cancel")
def cancel(at: At, who: SignedIn, integration_id: str, endpoint_id: str, replay_id: str) -> Response:
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        replays.cancel(session, integration_id, replay_id, who.id, at.clock())
    return RedirectResponse(f"/app/webhooks/{integration_id}/endpoints/{endpoint_id}", 303)


@router.post("/endpoints/{endpoint_id}/state")
def switch(
    at: At,
    who: SignedIn,
    integration_id: str,
    endpoint_id: str,
    state: Annotated[Literal["enabled", "disabled"], Form()],
) -> Response:
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        found = endpoints.of_integration(session, integration_id, endpoint_id)
        endpoints.change(session, found, who.id, at.clock(), state=state)
    return RedirectResponse(f"/app/webhooks/{integration_id}/endpoints/{endpoint_id}", 303)


@router.get("/deliveries/{delivery_id}")
def delivery(request: Request, at: At, who: SignedIn, integration_id: str, delivery_id: str) -> Response:
    return _delivery(request, at, who, integration_id, delivery_id)


@router.post("/deliveries/{delivery_id}/resend")
def resend(request: Request, at: At, who: SignedIn, integration_id: str, delivery_id: str) -> Response:
    try:
        with at.transaction() as session:
            access.integration(session, who.id, integration_id)
            again = deliveries.resend(session, integration_id, delivery_id, who.id, at.clock())
    except Conflict as error:
        return _delivery(request, at, who, integration_id, delivery_id, str(error))
    return RedirectResponse(f"/app/webhooks/{integration_id}/deliveries/{again}", 303)


def _page(
    request: Request,
    at: Services,
    who: FounderView,
    integration_id: str,
    endpoint_id: str,
    state: State | Literal[""] = "",
    cursor: str = "",
    problem: str = "",
    asked: tuple[int, str, int | None] = (24, "exhausted", None),
) -> Response:
    with at.transaction() as session:
        integration = access.integration(session, who.id, integration_id)
        found = endpoints.of_integration(session, integration_id, endpoint_id)
        listed, behind = deliveries.page(session, endpoint_id, state or None, cursor or None, SHOWN)
        running = replays.of_integrations(session, [integration_id], _REPLAYS)
    shown = {
        "who": who,
        "integration": integration,
        "endpoint": found,
        "held": at.flags.webhook_retries_paused(integration_id, integration.space_id),
        "deliveries": listed,
        "behind": behind,
        "state": state,
        "states": STATES,
        "replays": [one for one in running if one.endpoint_id == endpoint_id],
        "asked": asked,
        "problem": problem,
        "now": at.clock(),
    }
    status = 422 if problem else 200
    return render(request, "webhook_endpoint.html", shown, title="Deliveries", status=status)


def _delivery(
    request: Request,
    at: Services,
    who: FounderView,
    integration_id: str,
    delivery_id: str,
    problem: str = "",
) -> Response:
    with at.transaction() as session:
        integration = access.integration(session, who.id, integration_id)
        found, tries = deliveries.one(session, integration_id, delivery_id)
        endpoint = endpoints.of_integration(session, integration_id, found.endpoint_id)
    shown = {
        "who": who,
        "integration": integration,
        "endpoint": endpoint,
        "delivery": found,
        "tries": tries,
        "held": at.flags.webhook_retries_paused(integration_id, integration.space_id),
        "problem": problem,
        "now": at.clock(),
    }
    status = 409 if problem else 200
    return render(request, "webhook_delivery.html", shown, title="Delivery", status=status)
