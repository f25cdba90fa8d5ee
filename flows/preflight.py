"""Go-live preflight (runbook section 6): fan out the checks → verdict → sign-off.

The day before a launch, and whenever ops, a founder or the command line asks. What each check looks at is
composed in `preflight_looks`; this file is the table of contents.
"""

from typing import Annotated, Any, Literal

from prefect import Task, flow, get_run_logger, task
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.preflight import report as preflight_report
from api.core.preflight import service
from api.core.preflight.records import Check, Result, Verdict
from api.core.preflight.runner import Work
from flows import hooks, preflight_run, wiring
from flows.preflight_run import Asked
from flows.reporting import PreflightProgress, report_preflight

Trigger = Literal["schedule", "ops", "founder", "cli"]
Address = Annotated[str, Field(max_length=300)]
SIGN_OFF_WAITS_S = 24 * 3600
SIGNED = "SIGNED OFF"
GO = {Verdict.GO, Verdict.WARNINGS}


class SignOff(RunInput):
    """The release owner's word. What counts is the run that is waiting: any change since voids it."""

    approve: bool
    name: Annotated[str, Field(min_length=1, max_length=100, description="Your name, as release owner")]
    note: Annotated[str, Field(max_length=500, description="Why, for the record")] = ""


def run_name() -> str:
    """`preflight/2026-11-22-0300-ops`: when and on whose word."""
    asked: dict[str, Any] = flow_run.get_parameters()
    return f"preflight/{system_clock():%Y-%m-%d-%H%M}-{asked.get('trigger', 'ops')}"


@flow(
    name="preflight",
    flow_run_name=run_name,
    persist_result=False,
    on_failure=[hooks.trouble_unless_answered],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
def preflight(
    production_url: Address = "",
    staging_url: Address = "",
    database_provider: Literal["", "embedded", "rds", "aurora", "neon", "supabase", "render", "railway"] = "",
    hosting_provider: Literal["", "local", "render", "railway", "fly", "ecs"] = "",
    sign_off: bool = False,
    trigger: Trigger = "ops",
) -> Any:
    """Is everything that a launch needs in place, proven and still true? Ends as GO or NO-GO.

    Args:
        production_url: What is judged. Empty: PUBLIC_APP_URL.
        staging_url: What has to mirror it. Empty: where the hosting provider says staging answers.
        database_provider: Whose database it is. Empty: the configured one.
        hosting_provider: Who hosts it. Empty: the configured one.
        sign_off: After a GO, wait for the release owner's word, here or on the Ops page.
        trigger: Who asked.
    """
    asked = Asked(production_url, staging_url, database_provider, hosting_provider, trigger)
    run = begin(asked)
    if run.status == "running":
        check_everything(run)
        run = conclude(run.id)
    if run.verdict not in GO:
        return Failed(name="NO-GO", message=f"{run.headline}. {run.next_step}")
    if sign_off:
        form = SignOff.with_initial_data(description=preflight_report.to_sign(run))
        said = suspend_flow_run(wait_for_input=form, timeout=SIGN_OFF_WAITS_S, key="sign-off")
        end, why = settle_sign_off(run.id, said)
        return Completed(name=end, message=why) if end == SIGNED else Failed(name=end, message=why)
    return Completed(name="GO", message=run.headline)


@task(name="begin", persist_result=False)
def begin(asked: Asked) -> service.Preflight:
    """Open the run's row. A run that was suspended, and goes on, finds its own."""
    return preflight_run.begin(asked, flow_run.get_id())


def check_everything(run: service.Preflight) -> None:
    """Every check as a task of its own, all that are independent at once."""
    progress = PreflightProgress(len(run.waiting))
    preflight_run.check(run, progress, around=as_task)


def as_task(check: Check, work: Work) -> Result:
    """The check's result; its task is green or red as the check is."""
    found: list[Result] = []

    def look() -> Any:
        result = work()
        found.append(result)
        said = f"{result.state.value}: {result.observed}"
        if result.holds:
            get_run_logger().info(said)
            return Completed(message=said)
        get_run_logger().warning(f"{said}; expected {result.expected}. {result.fix}")
        return Failed(message=said)

    Task(look, name=f"{check.group} {check.title}", persist_result=False)(return_state=True)
    return found[0] if found else work()


@task(name="verdict", persist_result=False)
def conclude(preflight_id: str) -> service.Preflight:
    """The verdict with its evidence, and the report for those who read along."""
    run = preflight_run.conclude(preflight_id)
    report_preflight(run)
    get_run_logger().info(f"{run.headline} ({run.id}). {run.next_step}")
    return run


@task(name="sign-off", persist_result=False)
def settle_sign_off(preflight_id: str, said: SignOff) -> tuple[str, str]:
    """What the Ops page recorded, or the word given here, as long as the GO stands: the run's end in a word,
    and why."""
    try:
        signed = preflight_run.sign_off(preflight_id, said.approve, said.name, said.note)
    except FirstUserError as refusal:
        return "NOT SIGNED", str(refusal)
    with wiring.transaction() as session:
        report_preflight(service.get(session, preflight_id))
    if signed.approved:
        return SIGNED, f"signed off by {signed.by_name} ({signed.via})"
    return "DECLINED", f"{signed.by_name} declined. {signed.note}".strip()
