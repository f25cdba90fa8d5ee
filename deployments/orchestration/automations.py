"""Automations as code: what happens to flow runs that nobody speaks for any more.

`crashed-when-silent`    a run whose process and worker were killed reports nothing: silence is a crash
`crashed-when-not-begun` a run that a worker took and never began: its worker is gone
`cancelled-when-late`    a minutely run that no worker took: the next one does the same, so none piles up
`cancelled-when-stuck`   a minutely run that does not end: it would keep every later one from beginning

A fifth, the undoing of a crashed drill, is a trigger of the deployment `sweep` in `prefect.yaml`. Nobody is
told from here: the API looks at runs by itself (`api.http.run_loop`), with no worker, and no Prefect, too.
"""

from datetime import timedelta
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CancelFlowRun, ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from api.providers.orchestration.prefect import MINUTELY_TAG

ZOMBIE_AUTOMATION = "crashed-when-silent"
ZOMBIE_AFTER = timedelta(seconds=90)
LATE_AUTOMATION = "cancelled-when-late"
LATE_AFTER = timedelta(minutes=5)
NOT_BEGUN_AUTOMATION = "crashed-when-not-begun"
NOT_BEGUN_AFTER = timedelta(minutes=5)
STUCK_AUTOMATION = "cancelled-when-stuck"
STUCK_AFTER = timedelta(minutes=10)
_RUNS = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
_ANY = ResourceSpecification({})
_MINUTELY = ResourceSpecification({"prefect.resource.id": [f"prefect.tag.{MINUTELY_TAG}"]})


def _events(*states: str) -> set[str]:
    return {f"prefect.flow-run.{state}" for state in states}


_LATE = "prefect.flow-run.Late"
_TAKEN = _events("Pending", "Submitting")
_BEGUN = _events("Running", "Scheduled", "AwaitingRetry")
_ENDS = _events("Completed", "Failed", "Crashed", "Cancelled", "Cancelling")


def zombie_automation() -> AutomationCore:
    """Whatever the run says counts, by whatever name: a suspended one ends its process, and is no crash."""
    return _when_silent(
        ZOMBIE_AUTOMATION,
        "Marks flow runs as crashed whose heartbeat has stopped.",
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.*"},
        within=ZOMBIE_AFTER,
        action=_becomes(
            StateType.CRASHED,
            f"No sign of life for {ZOMBIE_AFTER.total_seconds():.0f} seconds: "
            "the run's process is gone. The clean-up flow undoes what it left.",
        ),
    )


def not_begun_automation() -> AutomationCore:
    """What begins the wait must not end it, too: Prefect would count it for the wait before."""
    return _when_silent(
        NOT_BEGUN_AUTOMATION,
        "Marks flow runs as crashed that a worker has taken and never begun.",
        after=_TAKEN,
        expect={_LATE} | _BEGUN | _ENDS,
        within=NOT_BEGUN_AFTER,
        action=_becomes(
            StateType.CRASHED,
            f"A worker took it and has not begun it for {NOT_BEGUN_AFTER.seconds // 60} minutes: "
            "look at the worker.",
        ),
    )


def stuck_automation() -> AutomationCore:
    return _when_silent(
        STUCK_AUTOMATION,
        "Cancels minutely runs that do not end: they keep the next ones from beginning.",
        after={"prefect.flow-run.Running"},
        expect=_ENDS,
        within=STUCK_AFTER,
        action=CancelFlowRun(),
        related=_MINUTELY,
    )


def late_automation() -> AutomationCore:
    return _when_silent(
        LATE_AUTOMATION,
        "Cancels minutely runs that no worker has taken: the next ones do their work.",
        after={_LATE},
        expect=_TAKEN | _BEGUN | _ENDS,
        within=LATE_AFTER,
        action=_becomes(
            StateType.CANCELLED,
            f"Late, and no worker took it for {LATE_AFTER.seconds // 60} minutes more: "
            "look at the worker. The next run does the same work.",
        ),
        related=_MINUTELY,
    )


def _when_silent(
    name: str,
    description: str,
    *,
    after: set[str],
    expect: set[str],
    within: timedelta,
    action: ChangeFlowRunState | CancelFlowRun,
    related: ResourceSpecification = _ANY,
) -> AutomationCore:
    """For each run of which nothing that is expected comes `within` the time."""
    trigger = EventTrigger(
        after=after,
        expect=expect,
        match=_RUNS,
        match_related=related,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )
    return AutomationCore(name=name, description=description, trigger=trigger, actions=[action])


def _becomes(state: StateType, message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(name=None, force=False, state=state, message=message)


def every_automation() -> tuple[AutomationCore, ...]:
    return zombie_automation(), not_begun_automation(), late_automation(), stuck_automation()


async def ensure_automations(client: PrefectClient) -> None:
    """Create what is missing, bring an older release's up to date. What is switched off stays so."""
    for wanted in every_automation():
        known = await client.read_automations_by_name(wanted.name)
        if not known:
            await client.create_automation(wanted)
        for found in known:
            if _said(found) != _said(wanted):
                # the client sends what was set, and of an action without its type the server makes none
                told = AutomationCore.model_validate(_said(wanted) | {"enabled": found.enabled})
                await client.update_automation(found.id, told)


def _said(automation: AutomationCore) -> dict[str, Any]:
    """All that we say of it. Prefect gives it an owner and its trigger an id; ops may switch it off."""
    theirs: Any = {"id": True, "owner_resource": True, "enabled": True, "trigger": {"id"}}
    return automation.model_dump(exclude=theirs)
