"""The steps of a preflight without Prefect: begin, check, conclude, sign off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.core.clock import system_clock
from api.core.preflight import service, waivers
from api.core.preflight.catalogue import CHECKS
from api.core.preflight.records import Binding, Check, Result
from api.core.preflight.runner import Around, Look, Runner, plainly
from api.core.preflight.service import Preflight, SignOff
from api.core.preflight.verdict import decide
from api.db.engine import Session
from api.settings.fingerprint import configuration
from flows import wiring
from flows.preflight_looks import Looks, fresh_settings, planned, target

Shown = Callable[[Check, Result | None], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """Empty fields come from the settings."""

    production_url: str = ""
    staging_url: str = ""
    database_provider: str = ""
    hosting_provider: str = ""
    trigger: str = "ops"


def begin(asked: Asked, flow_run_id: str | None) -> Preflight:
    """The row of this flow run; the same one again when the run was suspended and goes on."""
    judged = target(asked.production_url, asked.staging_url, asked.database_provider, asked.hosting_provider)
    plan = planned(judged)
    with wiring.transaction() as session:
        if flow_run_id and (known := service.by_flow_run(session, flow_run_id)):
            return known
        preflight_id = service.begin(
            session,
            flow_run_id=flow_run_id,
            trigger=asked.trigger,
            target=judged,
            binding=binding(session),
            checks=plan.checks,
            not_checked=plan.not_checked,
            now=system_clock(),
        )
        return service.get(session, preflight_id)


def check(
    run: Preflight, shown: Shown, *, around: Around = plainly, looks: Mapping[str, Look] | None = None
) -> list[Result]:
    """Carry out what the run has not done yet; every change is stored before it is shown."""

    def on_change(check: Check, result: Result | None) -> None:
        with wiring.transaction() as session:
            service.note(session, run.id, check, result, system_clock())
        shown(check, result)

    runner = Runner(looks or Looks(run.target).all(), system_clock, on_change, around)
    return runner.run(checks_of(run))


def conclude(preflight_id: str) -> Preflight:
    """The verdict over what is stored. Its facts are those of the run's beginning."""
    now = system_clock()
    with wiring.transaction() as session:
        run = service.get(session, preflight_id)
        held = waivers.current(session, now)
        decision = decide(checks_of(run), run.results, held, now)
        service.decide(session, preflight_id, decision, held, run.binding.facts, now)
    with wiring.transaction() as session:
        return service.get(session, preflight_id)


def sign_off(preflight_id: str, approved: bool, name: str, note: str) -> SignOff:
    """What is on record already, or this word of somebody who only says who they are. Raises as core does."""
    with wiring.transaction() as session:
        known = service.get(session, preflight_id).sign_off
        if known is not None:
            return known
        return service.sign_off(
            session,
            preflight_id,
            approved=approved,
            by_id="",
            by_name=name,
            via="prefect",
            note=note,
            binding=binding(session),
            now=system_clock(),
        )


def binding(session: Session) -> Binding:
    """What a GO would be about now."""
    settings = fresh_settings()
    return service.current(session, settings.service.release, configuration(settings), system_clock())


def checks_of(run: Preflight) -> list[Check]:
    wanted = {*run.waiting, *run.running, *(result.name for result in run.results)}
    return [check for check in CHECKS if check.name in wanted]
