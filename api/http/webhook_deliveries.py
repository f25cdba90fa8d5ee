"""The founders' API of deliveries: endpoints, what went where with request and response, resend, replay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from api.core.access import service as access
from api.core.webhooks import deliveries, endpoints, replays
from api.core.webhooks.deliveries import AttemptView, DeliveryView
from api.core.webhooks.endpoints import EndpointView
from api.core.webhooks.replays import ReplayView, Wanted
from api.core.webhooks.targets import is_loopback_url
from api.http.deps import At, SignedIn
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

router = APIRouter(
    prefix="/api/founder/v1/integrations/{integration_id}/webhooks",
    tags=["founder"],
    responses=documented(*FOUNDER_CODES),
)
_WRITING = (*FOUNDER_CODES, "foreign_origin")
_REPLAYS_SHOWN = 20
EventType = Annotated[str, StringConstraints(max_length=64)]


class EndpointOut(BaseModel):
    """No `event_types` means all. `breaker`: `open` after failures in a row, `slowed` where it asked for it;
    `oldest_due_seconds`: how long the first open delivery has been due; `held`: retries are paused."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    registered: bool
    url: str
    event_types: list[str]
    state: Literal["enabled", "disabled"]
    disabled_reason: str
    breaker: Literal["closed", "slowed", "open"]
    held: bool
    open: int
    exhausted: int
    oldest_due_seconds: float
    created_at: Moment


class EndpointsOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[EndpointOut]
    has_more: bool = False
    next_cursor: None = None


class EndpointIn(BaseModel):
    url: Annotated[str, StringConstraints(max_length=2000)]
    event_types: Annotated[list[EventType], Field(max_length=100)] = []


class EndpointChangeIn(BaseModel):
    """What is left out stays. Enabling sends what was held meanwhile."""

    event_types: Annotated[list[EventType], Field(max_length=100)] | None = None
    state: Literal["enabled", "disabled"] | None = None


class DeliveryOut(BaseModel):
    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    message_id: str
    endpoint_id: str
    type: str
    state: Literal["open", "exhausted", "delivered"]
    in_flight: bool
    attempts: int
    next_attempt_at: Moment | None
    at: Moment


class DeliveriesOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[DeliveryOut]
    has_more: bool
    next_cursor: str | None


class AttemptOut(BaseModel):
    """`outcome`: delivered, retried, slowed, exhausted. `failure` says why there was no 2xx."""

    number: int
    outcome: str
    at: Moment
    latency_ms: int
    status: int | None
    failure: str | None
    detail: str
    address: str
    response: str


class OneDeliveryOut(DeliveryOut):
    """`body` is what is sent, byte for byte; each attempt has a `webhook-timestamp` and signatures of its
    own over it."""

    body: str
    tries: list[AttemptOut]


class ReplayIn(BaseModel):
    """Messages that came up from `since` until `until`. `dry_run` only counts them."""

    endpoint_id: Annotated[str, StringConstraints(max_length=64)]
    since: AwareDatetime
    until: AwareDatetime
    type: EventType | None = None
    only_exhausted: bool = True
    dry_run: bool = False


class ReplayOut(BaseModel):
    """`made` deliveries of `total` messages so far. A dry run has no `id` and the state `counted`."""

    id: str | None
    object: Literal["webhook_replay"] = "webhook_replay"
    endpoint_id: str
    since: Moment
    until: Moment
    type: str | None
    only_exhausted: bool
    state: Literal["counted", "running", "done", "cancelled"]
    total: int
    made: int
    created_at: Moment
    ended_at: Moment | None


class ReplaysOut(BaseModel):
    object: Literal["list"] = "list"
    data: list[ReplayOut]
    has_more: bool = False
    next_cursor: None = None


@router.get("/endpoints")
def list_endpoints(at: At, who: SignedIn, integration_id: str) -> EndpointsOut:
    with at.transaction() as session:
        space_id = access.integration(session, who.id, integration_id).space_id
        found = endpoints.of_integrations(session, [integration_id])
    return EndpointsOut(data=[_endpoint(one, at, space_id) for one in found])


@router.post(
    "/endpoints",
    status_code=201,
    responses=documented(*_WRITING, "webhook_url_not_allowed", "refused", "conflict"),
)
def add_endpoint(at: At, who: SignedIn, integration_id: str, body: EndpointIn) -> EndpointOut:
    """Another address beside the registered one, told of the same events or of some."""
    loopback = is_loopback_url(at.settings.platform.public_app_url)
    with at.transaction() as session:
        space_id = access.integration(session, who.id, integration_id).space_id
        endpoint_id = endpoints.add(
            session, integration_id, body.url, body.event_types, loopback, who.id, at.clock()
        )
        return _endpoint(endpoints.of_integration(session, integration_id, endpoint_id), at, space_id)


@router.patch("/endpoints/{endpoint_id}", responses=documented(*_WRITING, "refused"))
def change_endpoint(
    at: At, who: SignedIn, integration_id: str, endpoint_id: str, body: EndpointChangeIn
) -> EndpointOut:
    with at.transaction() as session:
        space_id = access.integration(session, who.id, integration_id).space_id
        found = endpoints.of_integration(session, integration_id, endpoint_id)
        endpoints.change(session, found, who.id, at.clock(), body.event_types, body.state)
        return _endpoint(endpoints.of_integration(session, integration_id, endpoint_id), at, space_id)


@router.delete("/endpoints/{endpoint_id}", status_code=204, responses=documented(*_WRITING, "conflict"))
def remove_endpoint(at: At, who: SignedIn, integration_id: str, endpoint_id: str) -> Response:
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        found = endpoints.of_integration(session, integration_id, endpoint_id)
        endpoints.remove(session, found, who.id, at.clock())
    return Response(status_code=204)


@router.get("/endpoints/{endpoint_id}/deliveries", responses=documented(*FOUNDER_CODES, "cursor_invalid"))
def list_deliveries(
    at: At,
    who: SignedIn,
    integration_id: str,
    endpoint_id: str,
    state: Annotated[Literal["open", "exhausted", "delivered"] | None, Query()] = None,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> DeliveriesOut:
    """Newest first."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        endpoints.of_integration(session, integration_id, endpoint_id)
        found, behind = deliveries.page(session, endpoint_id, state, cursor, limit)
    data = [DeliveryOut.model_validate(one, from_attributes=True) for one in found]
    return DeliveriesOut(data=data, has_more=behind is not None, next_cursor=behind)


@router.get("/deliveries/{delivery_id}")
def get_delivery(at: At, who: SignedIn, integration_id: str, delivery_id: str) -> OneDeliveryOut:
    """What was sent, and what every attempt came to."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        return _delivery(*deliveries.one(session, integration_id, delivery_id))


@router.post("/deliveries/{delivery_id}/resend", responses=documented(*_WRITING, "conflict"))
def resend_delivery(at: At, who: SignedIn, integration_id: str, delivery_id: str) -> OneDeliveryOut:
    """Due at once, under the same webhook-id; one that was given up begins its schedule anew."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        again = deliveries.resend(session, integration_id, delivery_id, who.id, at.clock())
        return _delivery(*deliveries.one(session, integration_id, again))


@router.get("/replays")
def list_replays(at: At, who: SignedIn, integration_id: str) -> ReplaysOut:
    """The last ones, newest first."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        found = replays.of_integrations(session, [integration_id], _REPLAYS_SHOWN)
    return ReplaysOut(data=[_replay(one) for one in found])


@router.post("/replays", status_code=201, responses=documented(*_WRITING, "conflict"))
def start_replay(at: At, who: SignedIn, integration_id: str, body: ReplayIn) -> ReplayOut:
    """Sends a span of messages once more, a piece every few seconds, under their own webhook-ids."""
    wanted = Wanted(integration_id, body.endpoint_id, body.since, body.until, body.type, body.only_exhausted)
    now = at.clock()
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        endpoints.of_integration(session, integration_id, body.endpoint_id)
        if body.dry_run:
            return _counted(wanted, replays.count(session, wanted), now)
        replay_id, _ = replays.start(session, wanted, who.id, now)
        (found,) = [
            one
            for one in replays.of_integrations(session, [integration_id], _REPLAYS_SHOWN)
            if one.id == replay_id
        ]
        return _replay(found)


@router.post("/replays/{replay_id}/cancel", status_code=204, responses=documented(*_WRITING))
def cancel_replay(at: At, who: SignedIn, integration_id: str, replay_id: str) -> Response:
    """What it has sent stays sent."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        replays.cancel(session, integration_id, replay_id, who.id, at.clock())
    return Response(status_code=204)


def _endpoint(view: EndpointView, at: Services, space_id: str) -> EndpointOut:
    now = at.clock()
    return EndpointOut(
        id=view.id,
        registered=view.registered,
        url=view.url,
        event_types=list(view.event_types),
        state=view.state,
        disabled_reason=view.disabled_reason,
        breaker=view.breaker(now),
        held=at.flags.webhook_retries_paused(view.integration_id, space_id),
        open=view.open,
        exhausted=view.exhausted,
        oldest_due_seconds=view.oldest_due_seconds(now),
        created_at=view.created_at,
    )


def _delivery(view: DeliveryView, tries: Sequence[AttemptView]) -> OneDeliveryOut:
    shown = DeliveryOut.model_validate(view, from_attributes=True)
    attempts = [AttemptOut.model_validate(one, from_attributes=True) for one in tries]
    return OneDeliveryOut(
        **shown.model_dump(exclude={"at", "next_attempt_at"}),
        at=view.at,
        next_attempt_at=view.next_attempt_at,
        body=view.body,
        tries=attempts,
    )


def _replay(view: ReplayView) -> ReplayOut:
    return ReplayOut.model_validate(view, from_attributes=True)


def _counted(wanted: Wanted, total: int, now: datetime) -> ReplayOut:
    return ReplayOut(
        id=None,
        endpoint_id=wanted.endpoint_id,
        since=wanted.since,
        until=wanted.until,
        type=wanted.type,
        only_exhausted=wanted.only_exhausted,
        state="counted",
        total=total,
        made=0,
        created_at=now,
        ended_at=None,
    )
