"""The safety net under alerts: every minute it sends what is due and checks what nobody raises.

The API's processes do the same every second; with all of them away, this still pages."""

from asyncio import to_thread
from time import sleep
from typing import Any

from prefect import flow
from prefect.states import Completed

from api.core.alerts import views
from flows import artifacts, hooks, wiring
from flows.naming import stamped

TURNS = 20
_TURN_S = 1.0


@flow(
    name="alerts",
    flow_run_name=stamped("alerts"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def alerts() -> Any:
    """Send what is due; raise what nobody raises."""
    accepted = await to_thread(alerts_now)
    if accepted:
        with wiring.transaction() as session:
            waiting = views.open_alerts(session, wiring.settings().alerts.runbooks_url)
        await artifacts.alerts_sent(accepted, waiting)
    return Completed(message=f"{accepted} messages sent")


def alerts_now() -> int:
    """A channel takes one message a second: a few turns, and the rest is the next run's."""
    desk = wiring.alert_desk()
    desk.check()
    accepted = 0
    for _ in range(TURNS):
        sent = desk.send_due()
        accepted += sent
        if not sent:
            break
        sleep(_TURN_S)
    return accepted
