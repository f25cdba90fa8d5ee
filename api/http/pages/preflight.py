"""The preflight on the Ops page: runs and verdicts, one in full while it runs, its sign-off, waivers."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.core.alerts import runs
from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.founders.service import FounderView
from api.core.preflight import owners, rehearsals, service, waivers
from api.core.preflight.catalogue import CHECKS, GROUPS
from api.core.preflight.records import Role, Waiver
from api.core.preflight.rehearsals import Rehearsal
from api.core.preflight.report import runbook
from api.core.preflight.roles import Owner
from api.core.preflight.service import Preflight
from api.http import preflights
from api.http.deps import At, SignedIn
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/app/ops/preflights", include_in_schema=False)
_SHOWN = 10
_LINE = r"^[^\x00-\x1f\x7f]*$"
Words = Annotated[str, Form(max_length=500, pattern=_LINE)]


@dataclass(frozen=True, slots=True)
class PreflightShown:
    """What the Ops page says of preflights. `void`: why the newest GO does not stand, "" when it does."""

    runs: Sequence[Preflight]
    newest: Preflight | None
    void: str
    owners: Sequence[Owner]
    unassigned: Sequence[str]
    waivers: Sequence[Waiver]
    waivable: Sequence[str]
    rehearsal: Rehearsal | None
    token: str


def view(at: Services) -> PreflightShown:
    now = system_clock()
    with at.transaction() as session:
        runs = service.recent(session, _SHOWN)
        newest = service.newest_decided(session)
        void = service.stands(session, newest, preflights.binding(session, at), now).why if newest else ""
        known = owners.all_owners(session)
        asked = waivers.current(session, now)
        tried = rehearsals.recent(session, 1)
    taken = {owner.role for owner in known}
    return PreflightShown(
        runs=runs,
        newest=newest,
        void=void,
        owners=known,
        unassigned=[role.value for role in Role if role not in taken],
        waivers=asked,
        waivable=[check.name for check in CHECKS if check.waivable],
        rehearsal=tried[0] if tried else None,
        token=secrets.token_urlsafe(16),
    )


@router.get("/{preflight_id}")
def page(request: Request, at: At, who: SignedIn, preflight_id: str) -> Response:
    return _page(request, at, who, preflight_id)


@router.get("/{preflight_id}/state")
def state(request: Request, at: At, who: SignedIn, preflight_id: str) -> Response:
    """The part that refreshes itself while it runs."""
    return render(request, "preflight_state.html", _shown(at, who, preflight_id))


@router.post("")
def start(
    request: Request,
    at: At,
    who: SignedIn,
    token: Annotated[str, Form(max_length=100)],
    sign_off: Annotated[bool, Form()] = False,
) -> Response:
    """The form's button. Its token makes a double click start one run. Raises as Prefect does."""
    flow_run_id = preflights.start(at, sign_off=sign_off, idempotency_key=token)
    return RedirectResponse(f"/app/ops/preflights/{flow_run_id}", 303)


@router.post("/{preflight_id}/sign-off")
def sign(
    request: Request,
    at: At,
    who: SignedIn,
    preflight_id: str,
    approve: Annotated[bool, Form()],
    note: Words = "",
) -> Response:
    try:
        preflights.sign(at, who, preflight_id, approve=approve, note=" ".join(note.split()))
    except FirstUserError as problem:
        return _page(request, at, who, preflight_id, problem=str(problem))
    return RedirectResponse(f"/app/ops/preflights/{preflight_id}", 303)


@router.post("/waivers/new")
def waive(
    at: At,
    who: SignedIn,
    check: Annotated[str, Form(max_length=100)],
    reason: Words,
    days: Annotated[float, Form(gt=0, le=7)],
) -> Response:
    """Raises `Refused`."""
    with at.transaction() as session:
        waivers.request(session, check, reason, who.name, timedelta(days=days), system_clock())
    return RedirectResponse("/app/ops#waivers", 303)


@router.post("/waivers/{waiver_id}/approve")
def approve(at: At, who: SignedIn, waiver_id: str) -> Response:
    """By somebody else than who asked. Raises `Refused`, `Conflict`, `NotFound`."""
    with at.transaction() as session:
        waivers.approve(session, waiver_id, who.name, system_clock())
    return RedirectResponse("/app/ops#waivers", 303)


@router.post("/waivers/{waiver_id}/end")
def end(at: At, who: SignedIn, waiver_id: str) -> Response:
    with at.transaction() as session:
        waivers.end(session, waiver_id, who.name, system_clock())
    return RedirectResponse("/app/ops#waivers", 303)


def _page(request: Request, at: Services, who: FounderView, preflight_id: str, problem: str = "") -> Response:
    shown = _shown(at, who, preflight_id) | {"who": who, "problem": problem}
    return render(request, "preflight.html", shown, title="Preflight", status=422 if problem else 200)


def _shown(at: Services, who: FounderView, preflight_id: str) -> dict[str, object]:
    """A flow run that was asked for and has not begun yet is waited for."""
    base, now = at.settings.alerts.runbooks_url, system_clock()
    with at.transaction() as session:
        known = preflight_id.startswith("pfl_")
        run = service.get(session, preflight_id) if known else service.by_flow_run(session, preflight_id)
        void = service.stands(session, run, preflights.binding(session, at), now).why if run else ""
        release = next((one for one in owners.all_owners(session) if one.role is Role.RELEASE), None)
        away = runs.silent_since(session, now)
    flow_run_id = run.flow_run_id if run else preflight_id
    return {
        "prefect_away": away,
        "run": run,
        "asked": preflight_id,
        "void": void,
        "groups": GROUPS,
        "titles": {check.name: check.title for check in CHECKS},
        "now": now,
        "runbook": partial(runbook, base=base),
        "run_url": at.prefect.run_url(flow_run_id) if flow_run_id else None,
        "release_owner": release,
        "may_sign": release is not None and release.founder_id == who.id,
    }
