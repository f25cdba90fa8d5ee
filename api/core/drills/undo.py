"""Undoing what a drill did: staging home, the copy destroyed. Idempotent, and possible from any process."""

from datetime import datetime

from sqlalchemy.orm import Session

from api.core.drills import queries, service
from api.core.drills.drilling import STAGING, Drilling
from api.core.drills.records import CheckResult, DrillStatus, check
from api.core.drills.verdict import Verdict
from api.core.errors import ProviderError
from api.core.ports import Handle

RECENT_DRILLS = 200


def undo(use: Drilling, drill_id: str) -> CheckResult:
    """Put staging back and destroy the copy, whatever the drill had come to. Idempotent."""
    observed: list[str] = []
    ok = True
    for step in (_bring_staging_home, _destroy_copy):
        try:
            observed.append(step(use, drill_id))
        except ProviderError as error:
            ok = False
            observed.append(error.message)
    fix = "The sweep tries again every minute; `firstuser drill sweep` does it now. Look at the staging log."
    return check(
        "teardown", ok, "staging serves its own database, the copy is gone", "; ".join(observed), fix
    )


def _bring_staging_home(use: Drilling, drill_id: str) -> str:
    with use.transaction() as session:
        drill = service.row(session, drill_id)
        home, done = drill.staging_home, drill.staging_restored_at
    if home is None:
        return "staging was not pointed away"
    if done is None:
        deploy = use.hosting.point(STAGING, home)
        state = use.hosting.wait_live(STAGING, deploy, use.wait_timeout_s)
        if state.restored_copy is not None:
            return f"staging still serves {state.restored_copy}"
        with use.transaction() as session:
            service.staging_restored(session, drill_id, use.clock())
    return "staging is home"


def _destroy_copy(use: Drilling, drill_id: str) -> str:
    with use.transaction() as session:
        now = _now(use, session)
        drill = service.row(session, drill_id)
        name, done, keep = drill.database_name, drill.database_destroyed_at, drill.keep_until
        handle = service.handle(drill)
    if name is None:
        return "no copy was made"
    if done is not None:
        return "the copy is gone"
    if keep is not None and keep > now:
        return f"the copy {name} is kept until {keep.isoformat()}"
    use.database.destroy(handle or Handle(name=name, target_at=now, expires_at=now))
    if any(orphan.name == name for orphan in use.database.orphans(now)):
        raise ProviderError(
            f"The copy {name} is still there.", provider=use.database.name, operation="destroy"
        )
    with use.transaction() as session:
        service.database_destroyed(session, drill_id, now)
    return "the copy is gone"


def sweep(use: Drilling) -> list[str]:
    """Undo what interrupted drills left and destroy copies past their time. The caller holds the lock.

    Returns a sentence per thing done, empty when all was tidy.
    """
    with use.transaction() as session:
        now = _now(use, session)
        left = [(drill.id, drill.status, drill.phase) for drill in queries.to_undo(session, now)]
    done: list[str] = []
    for drill_id, status, phase in left:
        result = undo(use, drill_id)
        done.append(f"{drill_id}: {result.observed}")
        if status == DrillStatus.RUNNING.value:
            _close_interrupted(use, drill_id, phase, result)
    return [*done, *_destroy_orphans(use, now)]


def _now(use: Drilling, session: Session) -> datetime:
    """Ours or the database's: what is kept until a moment is kept until both clocks have passed it."""
    return min(use.clock(), queries.clock(session))


def _close_interrupted(use: Drilling, drill_id: str, phase: str, result: CheckResult) -> None:
    verdict = Verdict(
        DrillStatus.ERROR,
        [f"interrupted in phase {phase}: its process ended without a word"],
        "Start the drill again; what this one left behind has been undone.",
    )
    with use.transaction() as session:
        service.add_checks(session, drill_id, [result])
        service.finish(session, drill_id, verdict, use.clock())


def _destroy_orphans(use: Drilling, now: datetime) -> list[str]:
    """Copies that no drill accounts for, and those past their expiry."""
    with use.transaction() as session:
        known = {
            drill.database_name
            for drill in queries.recent(session, RECENT_DRILLS)
            if drill.database_destroyed_at is None and drill.keep_until and drill.keep_until > now
        }
    destroyed: list[str] = []
    for orphan in use.database.orphans(now):
        if orphan.name not in known:
            use.database.destroy(orphan)
            destroyed.append(f"{orphan.name}: destroyed, no drill accounts for it")
    return destroyed
