"""Go-live preflights as JSON: start one, read it, and the release owner's word on it."""

import secrets
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, StringConstraints

from api.core.clock import system_clock
from api.core.errors import FirstUserError, NotFound
from api.core.founders.service import FounderView
from api.core.preflight import service
from api.core.preflight.records import Binding
from api.core.preflight.service import Preflight, SignOff
from api.db.engine import Session
from api.http.deps import At, SignedIn
from api.http.idempotency import IDEMPOTENCY_CODES, Answer, FounderOnceIfKeyed
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.settings.fingerprint import configuration

router = APIRouter(prefix="/api/founder/v1/ops", tags=["ops"], responses=documented(*FOUNDER_CODES))
DEPLOYMENT = "preflight/preflight"
_STARTING = (
    *FOUNDER_CODES,
    "foreign_origin",
    "refused",
    *IDEMPOTENCY_CODES,
    "provider_rejected",
    "provider_unavailable",
    "provider_timed_out",
)
_SIGNING = (
    *FOUNDER_CODES,
    "foreign_origin",
    "refused",
    "signed_already",
    "go_is_void",
    "no_release_owner",
    "not_release_owner",
)
Note = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class PreflightIn(BaseModel):
    """`sign_off`: after a GO the run waits for the release owner."""

    sign_off: bool = False


class StartedPreflightOut(BaseModel):
    id: str
    url: str


class PreflightsOut(BaseModel):
    """Each with `stands` and, when it does not, `void_because`."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    has_more: bool
    next_cursor: None = None


class SignOffIn(BaseModel):
    approve: bool
    note: Note = ""


@router.get("/preflights")
def list_preflights(at: At, who: SignedIn, limit: Annotated[int, Query(ge=1, le=50)] = 20) -> PreflightsOut:
    """Newest first."""
    with at.transaction() as session:
        found = service.recent(session, limit + 1)
        shown = [document(session, at, run) for run in found[:limit]]
    return PreflightsOut(data=shown, has_more=len(found) > limit)


@router.get("/preflights/{preflight_id}")
def get_preflight(at: At, who: SignedIn, preflight_id: str) -> dict[str, Any]:
    """By its id, or by the id of the flow run that a POST answered with; results come while it runs."""
    with at.transaction() as session:
        return document(session, at, find(session, preflight_id))


@router.post(
    "/preflights", status_code=202, response_model=StartedPreflightOut, responses=documented(*_STARTING)
)
def start_preflight(
    at: At, who: SignedIn, once: FounderOnceIfKeyed, body: PreflightIn | None = None
) -> Response:
    """Start the flow run; the same Idempotency-Key starts it only once."""

    def act() -> Answer:
        flow_run_id = start(at, sign_off=(body or PreflightIn()).sign_off, idempotency_key=once.key)
        return 202, StartedPreflightOut(id=flow_run_id, url=at.prefect.run_url(flow_run_id))

    return once.answer_after(act)


@router.post("/preflights/{preflight_id}/sign-off", responses=documented(*_SIGNING))
def sign_off_preflight(at: At, who: SignedIn, preflight_id: str, body: SignOffIn) -> dict[str, Any]:
    """The release owner's word on a GO that stands. A run that waits for it goes on."""
    sign(at, who, preflight_id, approve=body.approve, note=body.note)
    with at.transaction() as session:
        return document(session, at, service.get(session, preflight_id))


def start(at: Services, *, sign_off: bool, idempotency_key: str | None) -> str:
    """The flow run's id. Raises `ProviderError` from Prefect."""
    parameters = {"sign_off": sign_off, "trigger": "founder"}
    return at.prefect.start(DEPLOYMENT, parameters, idempotency_key or secrets.token_urlsafe(16))


def sign(at: Services, who: FounderView, preflight_id: str, *, approve: bool, note: str) -> SignOff:
    """On record first, then the waiting run goes on; where none waits any more, the record stands alone.
    Raises as core does."""
    now = system_clock()
    with at.transaction() as session:
        signed = service.sign_off(
            session,
            preflight_id,
            approved=approve,
            by_id=who.id,
            by_name=who.name,
            via="ops page",
            note=note,
            binding=binding(session, at),
            now=now,
        )
        run = service.get(session, preflight_id)
    if run.flow_run_id:
        said = {"approve": approve, "name": who.name, "note": note}
        try:
            at.prefect.resume(run.flow_run_id, said)
        except FirstUserError:
            return signed
    return signed


def binding(session: Session, at: Services) -> Binding:
    """What a GO would be about now."""
    release = at.settings.service.release
    return service.current(session, release, configuration(at.settings, at.live_rings.known), system_clock())


def document(session: Session, at: Services, run: Preflight) -> dict[str, Any]:
    why = service.stands(session, run, binding(session, at), system_clock()).why if run.verdict else ""
    return run.to_json() | {
        "stands": run.verdict is not None and not why,
        "void_because": why or None,
        "url": at.prefect.run_url(run.flow_run_id) if run.flow_run_id else None,
    }


def find(session: Session, preflight_id: str) -> Preflight:
    """Raises `NotFound`."""
    if preflight_id.startswith("pfl_"):
        return service.get(session, preflight_id)
    found = service.by_flow_run(session, preflight_id)
    if found is None:
        raise NotFound("That flow run has not begun a preflight yet.", fix="Ask again in a few seconds.")
    return found
