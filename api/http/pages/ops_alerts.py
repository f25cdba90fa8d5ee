"""The alerts on the Ops page: what is open and how far it got, a test, silences. For the homepage's owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.core.alerts import service, views
from api.core.alerts.catalogue import RULES
from api.core.alerts.views import LEVELS, AlertView, ChannelView, LoopView, SilenceView, WatcherView
from api.core.clock import system_clock
from api.http import metrics
from api.http.deps import At, HomepageOwner
from api.http.measured import Measured
from api.http.services import Services

router = APIRouter(prefix="/app/ops", include_in_schema=False)
_BACK = "/app/ops#alerts"


@dataclass(frozen=True, slots=True)
class AlertsShown:
    open: Sequence[AlertView]
    ended: Sequence[AlertView]
    channels: Sequence[ChannelView]
    silences: Sequence[SilenceView]
    levels: Mapping[str, str]
    loops: Sequence[LoopView]
    watchers: Sequence[WatcherView]
    measured: Measured
    rules: Sequence[str]


def view(at: Services) -> AlertsShown:
    base = at.settings.alerts.runbooks_url
    measured = at.measured.get(lambda: metrics.measure(at))
    with at.transaction() as session:
        return AlertsShown(
            open=views.open_alerts(session, base),
            ended=views.ended_alerts(session, base),
            channels=views.channels(session),
            silences=views.silences(session, system_clock()),
            levels=LEVELS,
            loops=views.loops(session),
            watchers=views.watchers(session),
            measured=measured,
            rules=list(RULES),
        )


@router.post("/alerts/test")
def test(at: At, who: HomepageOwner) -> Response:
    with at.transaction() as session:
        service.test(session, at.settings.service.env, who.name, system_clock())
    return RedirectResponse(_BACK, 303)


@router.post("/alerts/{alert_id}/acknowledge")
def acknowledge(at: At, who: HomepageOwner, alert_id: str) -> Response:
    with at.transaction() as session:
        service.acknowledge(session, alert_id, who.name, system_clock())
    return RedirectResponse(_BACK, 303)


@router.post("/silences")
def silence(
    request: Request,
    at: At,
    who: HomepageOwner,
    minutes: Annotated[float, Form(gt=0, le=7 * 24 * 60)],
    reason: Annotated[str, Form(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")],
    rule: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    length, now = timedelta(minutes=minutes), system_clock()
    with at.transaction() as session:
        service.silence(session, rule=rule, owner=who.name, reason=reason, length=length, now=now)
    return RedirectResponse(_BACK, 303)


@router.post("/silences/{silence_id}/end")
def unsilence(at: At, who: HomepageOwner, silence_id: str) -> Response:
    with at.transaction() as session:
        service.unsilence(session, silence_id, who.name, system_clock())
    return RedirectResponse(_BACK, 303)
