"""Flow runs that nobody speaks for: late, stuck, or dead without a word. Pure, but for `tell` and `told`.

A run's own hooks raise an alert when it fails. A process that was killed together with its worker has none;
a run that no worker takes never begins. Their orchestrator knows all of them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from api.core.alerts import queries, service
from api.core.alerts.catalogue import FLOW, RUNS_LATE, RUNS_STUCK
from api.core.alerts.messages import duration

LOOP = "prefect"
"""The orchestrator as a loop: that it answers is its sign of life."""
SILENCE = timedelta(minutes=2)
AWAY_AFTER = timedelta(seconds=75)
"""For the pages: more than two looks of the API have failed."""
LATE_AFTER = timedelta(minutes=3)
STUCK_AFTER = timedelta(hours=4)
MINUTELY_STUCK_AFTER = timedelta(minutes=5)
"""An automation cancels it after ten, and that ends the alert."""
WAITING_STUCK_AFTER = timedelta(minutes=10)
"""Handed to a worker that never began it, or told to end and still there."""
ENDED_REACH = timedelta(hours=1)
HOOKS_TAKE = timedelta(seconds=20)
"""A run's own hook comes first."""


class Phase(StrEnum):
    LATE = "late"
    WAITING = "waiting"
    RUNNING = "running"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Run:
    """`since`: when it was due (late), entered its state, or ended (dead)."""

    id: str
    flow: str
    name: str
    phase: Phase
    state: str
    since: datetime
    message: str = ""
    minutely: bool = False

    def stuck(self, now: datetime) -> bool:
        if self.phase is Phase.WAITING:
            return now - self.since > WAITING_STUCK_AFTER
        limit = MINUTELY_STUCK_AFTER if self.minutely else STUCK_AFTER
        return self.phase is Phase.RUNNING and now - self.since > limit


@dataclass(frozen=True, slots=True)
class Trouble:
    """A sentence each, empty where all is well; `unspoken`: dead, and nobody has said so."""

    late: str
    stuck: str
    unspoken: Sequence[Run]


def silent_since(session: Session, now: datetime) -> datetime | None:
    """When the orchestrator was last heard, while it is not; None, too, where nobody ever asked it."""
    beat = queries.heartbeats(session).get(LOOP)
    return beat.beat_at if beat and now - beat.beat_at > AWAY_AFTER else None


def judge(runs: Collection[Run], told: Collection[str], now: datetime) -> Trouble:
    """`told`: ids of dead runs that are on record."""
    late = [run for run in runs if run.phase is Phase.LATE and now - run.since > LATE_AFTER]
    stuck = [run for run in runs if run.stuck(now)]
    dead = [run for run in runs if run.phase is Phase.DEAD and run.id not in told]
    unspoken = sorted((run for run in dead if now - run.since > HOOKS_TAKE), key=lambda run: run.flow)
    return Trouble(_late(late, now), _stuck(stuck, now), unspoken)


def told(session: Session, runs: Iterable[Run]) -> set[str]:
    """Which of the dead ones a hook, or an earlier look, has put on record."""
    dead = [run.id for run in runs if run.phase is Phase.DEAD]
    return queries.told_runs(session, FLOW.name, dead) if dead else set()


def tell(session: Session, env: str, trouble: Trouble, now: datetime) -> None:
    """In the order of their identities, as `service.raise_` wants it."""
    for run in trouble.unspoken:
        said = f"{run.flow} ended as {run.state}. {run.message}".strip()
        metadata = {"flow_run_id": run.id, "run": run.name, "state": run.state}
        service.raise_(session, FLOW.name, run.flow, env=env, message=said, now=now, metadata=metadata)
    for rule, said in ((RUNS_LATE, trouble.late), (RUNS_STUCK, trouble.stuck)):
        if said:
            service.raise_(session, rule.name, env=env, message=said, now=now)
        else:
            service.resolve(session, rule.name, env=env, now=now)


def _late(runs: Sequence[Run], now: datetime) -> str:
    if not runs:
        return ""
    oldest = min(runs, key=lambda run: run.since)
    flows = ", ".join(sorted({run.flow for run in runs}))
    return (
        f"{len(runs)} runs wait for a worker, the oldest ({oldest.flow}) for "
        f"{duration(now - oldest.since)}: {flows}."
    )


def _stuck(runs: Sequence[Run], now: datetime) -> str:
    said = [f"{run.name} is {run.state} for {duration(now - run.since)}" for run in runs]
    return "; ".join(sorted(said))
