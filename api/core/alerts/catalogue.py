"""What can go wrong: one line a rule, with its severity, its runbook and when it counts as over."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

GROUP_WAIT = timedelta(seconds=30)


class Severity(StrEnum):
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


RANK: Mapping[str, int] = {severity.value: place for place, severity in enumerate(Severity)}
"""0 is the worst."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`over_after`: resolved when it was not seen for so long; None where somebody says when it is over.
    `parents`: rules during whose outage this one is not opened. `listed`: every occurrence is kept."""

    name: str
    severity: Severity
    title: str
    runbook: str
    over_after: timedelta | None = None
    parents: tuple[str, ...] = ()
    group_wait: timedelta = GROUP_WAIT
    listed: bool = False


DATABASE = Rule(
    "database_unavailable", Severity.CRITICAL, "Database unavailable", "alert-database-unavailable"
)
API = Rule("api_not_ready", Severity.CRITICAL, "The API cannot serve", "alert-database-unavailable")
BURST = Rule(
    "burst_5xx",
    Severity.CRITICAL,
    "Burst of 5xx answers",
    "alert-5xx-burst",
    over_after=timedelta(minutes=5),
    parents=(DATABASE.name,),
)
SILENT_LOOP = Rule(
    "loop_silent",
    Severity.CRITICAL,
    "A loop gives no sign of life",
    "alert-retry-loop",
    parents=(DATABASE.name,),
)
EXHAUSTED = Rule(
    "retries_exhausted",
    Severity.ERROR,
    "Webhook retries exhausted",
    "alert-retries-exhausted",
    over_after=timedelta(hours=4),
    listed=True,
)
ENDPOINT = Rule(
    "endpoint_disabled",
    Severity.WARNING,
    "Webhook endpoint disabled",
    "alert-retries-exhausted",
    over_after=timedelta(hours=4),
    listed=True,
)
OVERDUE = Rule(
    "webhooks_overdue",
    Severity.ERROR,
    "Webhooks are not sent",
    "alert-retry-loop",
    parents=(DATABASE.name,),
)
FLOW = Rule("flow_failed", Severity.ERROR, "A flow run failed", "alert-flow-failed", listed=True)
RUNS_LATE = Rule(
    "runs_late",
    Severity.ERROR,
    "Flow runs are not started",
    "alert-runs",
    parents=(DATABASE.name,),
)
RUNS_STUCK = Rule(
    "runs_stuck", Severity.ERROR, "Flow runs do not end", "alert-runs", parents=(DATABASE.name,)
)
CHANNEL = Rule("channel_dead", Severity.ERROR, "An alert channel is dead", "alert-channel-dead")
INCIDENT = Rule(
    "incident_tripped",
    Severity.CRITICAL,
    "A rollback rule tripped",
    "alert-incident",
    group_wait=timedelta(0),
    listed=True,
)
INCIDENT_SIGNAL = Rule(
    "incident_signal", Severity.ERROR, "The incident watch needs a person", "alert-incident"
)
INCIDENT_FOLLOWUP = Rule(
    "incident_followup",
    Severity.CRITICAL,
    "An incident needs a decision",
    "alert-incident",
    group_wait=timedelta(0),
    listed=True,
)
SECRET_OVERDUE = Rule(
    "secret_overdue", Severity.WARNING, "Secrets are past their cadence", "alert-secret-overdue"
)
RETIRED_KEY = Rule(
    "retired_key_used",
    Severity.WARNING,
    "A retired API key was used",
    "alert-retired-key",
    over_after=timedelta(hours=24),
)
TEST = Rule(
    "test",
    Severity.INFO,
    "Test alert",
    "alert-channel-dead",
    over_after=timedelta(days=1),
    group_wait=timedelta(0),
)

RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        DATABASE,
        API,
        BURST,
        SILENT_LOOP,
        EXHAUSTED,
        ENDPOINT,
        OVERDUE,
        FLOW,
        RUNS_LATE,
        RUNS_STUCK,
        CHANNEL,
        INCIDENT,
        INCIDENT_SIGNAL,
        INCIDENT_FOLLOWUP,
        SECRET_OVERDUE,
        RETIRED_KEY,
        TEST,
    )
}
