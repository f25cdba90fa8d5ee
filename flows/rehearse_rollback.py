"""Rehearse the rollback (runbook section 7) on staging: back to the release before → verify → forth → record.

Before a launch, so that whoever has to roll back has done it once; its time is what an incident may count on.
"""

from typing import Any

from prefect import flow, get_run_logger, task
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from api.core.errors import FirstUserError
from api.core.preflight.rehearsals import Rehearsal
from flows import artifacts, hooks, rehearsal_wiring, wiring
from flows.away import interrupted
from flows.naming import stamped


@flow(
    name="rehearse-rollback",
    flow_run_name=stamped("rehearsal"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
def rehearse_rollback() -> Any:
    """Deploy the previous release to staging, verify it, come back, record how long each way took.

    Steps aside while a restore drill has staging.
    """
    with wiring.drill_lock():
        undo_leftovers()
        one = begin()
        problem: FirstUserError | None = None
        try:
            go_back(one)
            come_forth(one)
        except FirstUserError as error:
            problem = error
        except BaseException as error:
            problem = interrupted(error, "Rehearse again.")
            raise
        finally:
            verdict = home_and_record(one, problem)
    return Completed(message=verdict) if verdict.startswith("passed") else Failed(message=verdict)


@task(name="undo what earlier rehearsals left", persist_result=False)
def undo_leftovers() -> list[str]:
    return rehearsal_wiring.rehearsing().undo()


@task(name="begin", persist_result=False)
def begin() -> Rehearsal:
    return rehearsal_wiring.rehearsing().begin(flow_run.get_id())


@task(name="1 back to the release before", persist_result=False)
def go_back(one: Rehearsal) -> None:
    get_run_logger().info(rehearsal_wiring.rehearsing().go_back(one))


@task(name="2 forth again", persist_result=False)
def come_forth(one: Rehearsal) -> None:
    get_run_logger().info(rehearsal_wiring.rehearsing().come_forth(one))


@task(name="3 staging home, times and evidence", persist_result=False)
def home_and_record(one: Rehearsal, problem: FirstUserError | None) -> str:
    found = rehearsal_wiring.rehearsing().conclude(one, problem)
    verdict = in_a_line(found)
    artifacts.rehearsed(found, verdict)
    return verdict


def in_a_line(found: Rehearsal) -> str:
    if found.status == "passed":
        said = f"back in {found.back_seconds:.1f} s, forth in {found.forth_seconds:.1f} s"
        return f"passed: {found.of_release} → {found.to_release}: {said} ({found.id})"
    return f"failed: {found.detail} ({found.id})"
