"""Restore drill (runbook section 2): restore → point staging → verify → record RTO → tear down.

Weekly, and whenever ops, a founder or the command line asks. The logic is `api.core.drills.runner`; this
file is its table of contents.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from prefect import flow, get_run_logger, task
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from api.core.clock import system_clock
from api.core.drills import service, undo
from api.core.drills.drilling import DEFAULT_CHECKS
from api.core.drills.history import history
from api.core.drills.records import CheckResult, DrillStatus
from api.core.drills.targets import LATEST
from api.core.errors import FirstUserError, ProviderError
from flows import hooks, wiring
from flows.away import interrupted
from flows.reporting import ProgressArtifact, report_drill, report_history

CheckName = Literal[
    "checksums",
    "canary",
    "digests",
    "migration_head",
    "sequences",
    "collations",
    "login",
    "founder_tools",
    "integration_setup",
    "live_users",
    "amcheck",
]
ALL_BUT_SLOW: list[CheckName] = [name for name in CheckName.__args__ if name in DEFAULT_CHECKS]
Target = Annotated[float, Field(gt=0)]
Trigger = Literal["schedule", "ops", "founder", "cli"]

HISTORY = timedelta(weeks=26)
progress = ProgressArtifact()


def run_name() -> str:
    """`restore-drill/2026-11-22-0300-weekly`: when and on whose word; the schedule's is the weekly one."""
    asked: dict[str, Any] = flow_run.get_parameters()
    trigger = asked.get("trigger", "ops")
    return f"restore-drill/{system_clock():%Y-%m-%d-%H%M}-{'weekly' if trigger == 'schedule' else trigger}"


@flow(
    name="restore-drill",
    flow_run_name=run_name,
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
def restore_drill(
    target: str = LATEST,
    rto_target: Target | None = None,
    rpo_target: Target | None = None,
    checks: list[CheckName] = ALL_BUT_SLOW,
    keep_minutes: Annotated[float, Field(ge=0, le=1440)] = 0,
    trigger: Trigger = "ops",
) -> Any:
    """Get the data back, prove that the product works on it, and measure how long it took.

    Restores the latest backup to a temporary database at `target`, forgets there whom production has
    forgotten since, points staging at it, verifies login, founder tools, integration setup and live users
    through staging, records RTO and RPO with evidence, puts staging back and destroys the copy. Production is
    only read.

    Args:
        target: `latest`, or a moment with its zone, such as 2026-11-22T14:05:00Z.
        rto_target: Seconds from asking to verified; a longer drill fails. None: the configured target.
        rpo_target: Seconds of data that may be lost; more fails the drill. None: the configured target.
        checks: What is verified. amcheck reads every table and index, and is slow.
        keep_minutes: Keep the copy this long for inspection; 0 destroys it at once.
        trigger: Who asked; it stands in the run's name.
    """
    with wiring.drill_lock():
        undo_leftovers()
        drill_id = begin(target, rto_target, rpo_target, checks, trigger)
        problem: FirstUserError | None = None
        try:
            locate(drill_id)
            restore(drill_id, keep_minutes)
            replay(drill_id)
            verify_database(drill_id, checks)
            promote(drill_id)
            if "amcheck" in checks:
                verify_structure(drill_id)
            forget_the_deleted(drill_id)
            point_staging(drill_id)
            verify_product(drill_id, checks)
        except FirstUserError as error:
            problem = error
        except BaseException as error:
            problem = interrupted(error, "Start the drill again.")
            raise
        finally:
            verdict = tear_down_and_record(drill_id, problem)
    draw_history(return_state=True)  # a picture that cannot be drawn is red by itself, and not the drill
    return Completed(message=verdict) if verdict.startswith("passed") else Failed(message=verdict)


@task(name="undo what earlier drills left")
def undo_leftovers() -> list[str]:
    return undo.sweep(wiring.drilling())


@task(name="begin")
def begin(
    target: str, rto_target: float | None, rpo_target: float | None, checks: list[CheckName], trigger: str
) -> str:
    """Open the drill's row; the clock of the RTO starts."""
    configured = wiring.settings().drills
    with wiring.transaction() as session:
        return service.begin(
            session,
            asked_target=target,
            trigger=trigger,
            flow_run_id=flow_run.get_id(),
            rto_target=rto_target or configured.drill_rto_target_seconds,
            rpo_target=rpo_target or configured.drill_rpo_target_seconds,
            check_names=checks,
            now=system_clock(),
        )


@task(name="locate the backup")
def locate(drill_id: str) -> str:
    plan = wiring.drill_run(drill_id, progress).locate()
    return say(
        f"{drill_id} restores to {plan.target.at.isoformat()} from {plan.point.kind} backup {plan.point.id}: "
        f"{plan.bytes_to_fetch / 1_048_576:.0f} MB and {plan.wal_segments} WAL segments"
    )


@task(name="1 restore to a temporary database")
def restore(drill_id: str, keep_minutes: float) -> str:
    with progress.step():
        handle = wiring.drill_run(drill_id, progress).restore(timedelta(minutes=keep_minutes))
    return say(f"temporary database {handle.name} is starting")


@task(name="1 replay WAL to the target")
def replay(drill_id: str) -> None:
    with progress.step():
        wiring.drill_run(drill_id, progress).replay()
    say("the copy stands at the target, read-only")


@task(name="3 verify the database")
def verify_database(drill_id: str, checks: list[CheckName]) -> list[str]:
    return tell(wiring.drill_run(drill_id, progress).check_database(checks))


@task(name="3 verify tables and indexes")
def verify_structure(drill_id: str) -> list[str]:
    return tell(wiring.drill_run(drill_id, progress).check_structure())


@task(name="1 open for writing")
def promote(drill_id: str) -> None:
    wiring.drill_run(drill_id, progress).promote()


@task(name="1 forget the deleted people again")
def forget_the_deleted(drill_id: str) -> list[str]:
    return tell([wiring.drill_run(drill_id, progress).forget_the_deleted()])


@task(name="2 point staging at it")
def point_staging(drill_id: str) -> None:
    wiring.drill_run(drill_id, progress).point_staging()
    say("staging serves from the copy")


@task(name="3 verify the product through staging")
def verify_product(drill_id: str, checks: list[CheckName]) -> list[str]:
    return tell(wiring.drill_run(drill_id, progress).verify_product(checks))


@task(name="4 tear down, record RTO and evidence")
def tear_down_and_record(drill_id: str, problem: FirstUserError | None) -> str:
    """Staging home, copy destroyed, verdict and evidence written. Returns the verdict in a line."""
    run = wiring.drill_run(drill_id, progress)
    if isinstance(problem, ProviderError):
        run.fail_step(problem)
    verdict = run.conclude(problem)
    with wiring.transaction() as session:
        drill = service.get(session, drill_id)
    report_drill(drill)
    if verdict.status is DrillStatus.PASSED:
        return say(f"passed: RTO {drill.rto_seconds:.1f} s, RPO {drill.rpo_seconds:.1f} s ({drill_id})")
    return say(f"{verdict.status.value}: {'; '.join(verdict.issues)} ({drill_id}). {verdict.next_step}")


@task(name="5 draw the history")
def draw_history() -> None:
    """RTO and RPO over time, and the weeks that had no good drill. The drill itself is over."""
    now = system_clock()
    with wiring.transaction() as session:
        found = history(service.since(session, now - HISTORY), now)
    report_history(found)


def say(sentence: str) -> str:
    """Into the run's log, where ops read along."""
    get_run_logger().info(sentence)
    return sentence


def tell(results: Sequence[CheckResult]) -> list[str]:
    """Every check in the run's log, the red ones as warnings with their fix."""
    logger = get_run_logger()
    for result in results:
        line = f"{result.status.value}: {result.name}: {result.observed}"
        if result.ok:
            logger.info(line)
        else:
            logger.warning(f"{line}; expected {result.expected}. {result.fix}")
    return [f"{result.name}: {result.status.value}" for result in results]
