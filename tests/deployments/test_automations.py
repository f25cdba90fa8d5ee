"""Automations: each waits for what ends its wait, and reacts to the runs it is for and to no others."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from prefect.events.schemas.automations import EventTrigger as Told
from prefect.server.events.schemas.automations import EventTrigger
from prefect.server.events.schemas.events import ReceivedEvent

from deployments.orchestration import automations
from deployments.orchestration.automations import every_automation

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
def test_it_reacts_as_it_says(automation: automations.AutomationCore) -> None:
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
