"""Automations: each waits for what ends its wait, and reacts to the runs it is for and to no others."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import CancelFlowRun, ChangeFlowRunState, DoNothing
from prefect.events.schemas.automations import Automation, AutomationCore
from prefect.events.schemas.automations import EventTrigger as Told
from prefect.events.schemas.events import ResourceSpecification
from prefect.server.events.schemas.automations import AutomationUpdate, EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent

from deployments.orchestration import automations
from deployments.orchestration.automations import ensure_automations, every_automation, stuck_automation

FOR_EVERY_RUN = {automations.ZOMBIE_AUTOMATION, automations.NOT_BEGUN_AUTOMATION}
BEGINS: Mapping[str, set[str]] = {
    automations.ZOMBIE_AUTOMATION: {"heartbeat"},
    automations.NOT_BEGUN_AUTOMATION: {"Pending", "Submitting"},
    automations.LATE_AUTOMATION: {"Late"},
    automations.STUCK_AUTOMATION: {"Running"},
}
ENDS: Mapping[str, set[str]] = {
    automations.ZOMBIE_AUTOMATION: {"heartbeat", "Completed", "GO", "NO-GO", "Suspended"},
    automations.NOT_BEGUN_AUTOMATION: {"Running", "Crashed", "Cancelled", "Scheduled"},
    automations.LATE_AUTOMATION: {"Pending", "Running", "Cancelled"},
    automations.STUCK_AUTOMATION: {"Completed", "Failed", "Crashed", "Cancelled"},
}


def event(what: str, tag: str) -> ReceivedEvent:
    return ReceivedEvent.model_validate(
        {
            "id": uuid4(),
            "occurred": datetime.now(UTC),
            "event": f"prefect.flow-run.{what}",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{uuid4()}"},
            "related": [{"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"}],
            "payload": {},
        }
    )


@pytest.mark.parametrize("automation", every_automation(), ids=lambda one: one.name)
def test_it_reacts_as_it_says(automation: AutomationCore) -> None:
    assert isinstance(automation.trigger, Told)
    trigger = EventTrigger.model_validate(automation.trigger.model_dump())
    for begins in BEGINS[automation.name]:
        assert trigger.starts_after(f"prefect.flow-run.{begins}")
        assert trigger.covers(event(begins, "minutely"))
        assert trigger.covers(event(begins, "drill")) is (automation.name in FOR_EVERY_RUN)
    for ends in ENDS[automation.name]:
        assert trigger.expects(f"prefect.flow-run.{ends}")
    assert not trigger.starts_after("prefect.flow-run.Completed")


def test_only_what_repeats_both_begins_and_ends_a_wait() -> None:
    """Prefect counts an event that does both for the wait before it: a run's one Pending would be lost."""
    for automation in every_automation():
        assert isinstance(automation.trigger, Told)
        trigger = EventTrigger.model_validate(automation.trigger.model_dump())
        both = {name for name in trigger.after if trigger.expects(name)}
        assert both <= {"prefect.flow-run.heartbeat"}


def as_stored(automation: AutomationCore) -> Automation:
    """With what the server fills in, and as it stands once it went through JSON."""
    said = automation.model_dump(mode="json")
    said["trigger"] |= {"id": str(uuid4())}
    return Automation.model_validate(said | {"id": str(uuid4()), "enabled": False})


class Kept:
    """A server's automations; `told` are the updates, as Prefect's client sends them and its server takes
    them."""

    def __init__(self, stored: Sequence[Automation]) -> None:
        self.stored = {one.name: one for one in stored}
        self.told: list[AutomationCore] = []

    async def read_automations_by_name(self, name: str) -> list[Automation]:
        return [self.stored[name]]

    async def update_automation(self, _id: UUID, wanted: AutomationCore) -> None:
        sent = wanted.model_dump(mode="json", exclude_unset=True)
        taken = AutomationUpdate.model_validate(sent)
        self.told.append(AutomationCore.model_validate(taken.model_dump()))


def brought_up_to_date(stored: Sequence[Automation]) -> list[AutomationCore]:
    kept = Kept(stored)
    asyncio.run(ensure_automations(cast("PrefectClient", kept)))
    return kept.told


def older(**changes: Any) -> list[Automation]:
    """One of them, `stuck_automation`, with these changes."""
    old = automations.STUCK_AUTOMATION
    stored = [as_stored(one) for one in every_automation()]
    return [one.model_copy(update=changes) if one.name == old else one for one in stored]


def trigger(**changes: Any) -> dict[str, Any]:
    return {"trigger": as_stored(stuck_automation()).trigger.model_copy(update=changes)}


AS_BEFORE = ChangeFlowRunState(name=None, force=False, state=StateType.CANCELLED, message="said before")


def test_what_is_up_to_date_is_left_alone() -> None:
    assert brought_up_to_date(older()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "as it was said before"},
        {"actions": [DoNothing()]},
        {"actions": [AS_BEFORE]},
        {"actions_on_resolve": [CancelFlowRun()]},
        trigger(match_related=ResourceSpecification({})),
        trigger(match=ResourceSpecification({"prefect.resource.id": ["prefect.task-run.*"]})),
        trigger(within=timedelta(minutes=1)),
        trigger(for_each={"prefect.resource.role"}),
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_older_releases_is_brought_up_to_date_and_stays_switched_off(changes: dict[str, Any]) -> None:
    (told,) = brought_up_to_date(older(**changes))
    assert told.model_dump() == stuck_automation().model_dump() | {"enabled": False}
