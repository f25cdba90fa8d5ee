"""Automations as code: what happens to flow runs that nobody speaks for any more.

`crashed-when-silent`  a run whose process and worker were killed reports nothing: silence is a crash
`cancelled-when-late`  a minutely run that no worker took: the next one does the same, so none piles up

A third, the undoing of a crashed drill, is a trigger of the deployment `sweep` in `prefect.yaml`.
"""

from datetime import timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

ZOMBIE_AUTOMATION = "crashed-when-silent"
ZOMBIE_AFTER = timedelta(seconds=90)
LATE_AUTOMATION = "cancelled-when-late"
LATE_AFTER = timedelta(minutes=5)
MINUTELY_TAG = "minutely"


def zombie_automation() -> AutomationCore:
    """Whatever the run says counts, by whatever name: a suspended one ends its process, and is no crash."""
    return AutomationCore(
        name=ZOMBIE_AUTOMATION,
        description="Marks flow runs as crashed whose heartbeat has stopped.",
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=ZOMBIE_AFTER,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CRASHED,
                message=f"No sign of life for {ZOMBIE_AFTER.total_seconds():.0f} seconds: "
                "the run's process is gone. The clean-up flow undoes what it left.",
            )
        ],
    )


def late_automation() -> AutomationCore:
    return AutomationCore(
        name=LATE_AUTOMATION,
        description="Cancels minutely runs that no worker has taken: the next ones do their work.",
        trigger=EventTrigger(
            after={"prefect.flow-run.Late"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification({"prefect.resource.id": [f"prefect.tag.{MINUTELY_TAG}"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=LATE_AFTER,
        ),
        actions=[
            ChangeFlowRunState(
                name=None,
                force=False,
                state=StateType.CANCELLED,
                message=f"Late, and no worker took it for {LATE_AFTER.seconds // 60} minutes more: "
                "look at the worker. The next run does the same work.",
            )
        ],
    )


async def ensure_automations(client: PrefectClient) -> None:
    """Create what is missing, bring an older release's up to date. What is switched off stays so."""
    for wanted in (zombie_automation(), late_automation()):
        known = await client.read_automations_by_name(wanted.name)
        if not known:
            await client.create_automation(wanted)
        for found in known:
            if _differs(found, wanted):
                wanted.enabled = found.enabled
                await client.update_automation(found.id, wanted)


def _differs(found: AutomationCore, wanted: AutomationCore) -> bool:
    return _trigger(found) != _trigger(wanted)


def _trigger(automation: AutomationCore) -> dict[str, object]:
    """What it reacts to; a stored trigger carries an id of its own."""
    if not isinstance(automation.trigger, EventTrigger):
        return {}
    return automation.trigger.model_dump(include={"after", "expect", "within", "threshold"})
