"""What a quiet database does not hold, so that its pages can be looked at: incident, preflights, owner."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import text

from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.core.incidents import telemetry, watching
from api.core.incidents.decisions import Mode
from api.core.incidents.pace import MINUTE, minute_of
from api.core.incidents.seeing import Situation
from api.core.incidents.tally import EVERYBODY, Count
from api.core.preflight import owners, service
from api.core.preflight.catalogue import CHECKS, NOT_CHECKED
from api.core.preflight.owners import Assignment
from api.core.preflight.records import Binding, Check, Part, Result, Role, State, Target
from api.core.preflight.verdict import decide
from api.db.engine import Session, make_engine, session_scope
from api.settings import Settings

_TABLES = (
    "incident_episodes, incident_standings, exchange_minutes, ops.preflights, ops.owners, ops.waivers, alerts"
)


@contextmanager
def told(settings: Settings) -> Iterator[None]:
    engine = make_engine(settings.platform.database_url.get_secret_value())
    with session_scope(engine) as session:
        _incident(session)
        _preflights(session)
        vault = Vault(data_keys(settings.service.data_key.get_secret_value()))
        owner = Assignment(Role.INCIDENT, "Ada", "email", "ada@firstuser.example")
        owners.assign(session, vault, owner, "test", system_clock())
    yield
    with session_scope(engine) as session:
        session.execute(text(f"truncate {_TABLES} cascade"))
    engine.dispose()


def _incident(session: Session) -> None:
    began = minute_of(system_clock()) - 60 * MINUTE
    for place in range(40):
        minute, failed = began + place * MINUTE, 20 if 8 < place < 30 else 0
        telemetry.record(session, "story", [Count(minute, EVERYBODY, failed, 50)], minute)
    closed = began + 24 * MINUTE + timedelta(seconds=90)
    watching.look(session, Situation("test", closed, system_clock(), Mode.RECOMMEND))


def _preflights(session: Session) -> None:
    """One with every kind of result, then one that is under way."""
    states = [*State] * len(CHECKS)
    for decided in (True, False):
        now = system_clock()
        known = service.begin(
            session,
            flow_run_id=None,
            trigger="ops",
            target=Target("http://127.0.0.1:8000", "http://127.0.0.1:8001", "embedded", "local"),
            binding=Binding("1.0", "c0ffee", "facts"),
            checks=CHECKS,
            not_checked=NOT_CHECKED,
            now=now,
        )
        results = [_result(check, state) for check, state in zip(CHECKS, states, strict=False)]
        if decided:
            service.decide(session, known, decide(CHECKS, results, [], now), [], "facts", now)
        else:
            service.note(session, known, CHECKS[0], results[0], now)
            service.note(session, known, CHECKS[1], None, now)


def _result(check: Check, state: State) -> Result:
    now = system_clock()
    return Result(
        name=check.name,
        group=check.group,
        title=check.title,
        state=state,
        expected=check.expected,
        observed="what was seen",
        observed_at=now,
        expires_at=now + timedelta(hours=1),
        fix=check.fix,
        runbook=check.runbook,
        parts=[Part("part", state, "this", "that", "Mend it.", 0.1, "")],
    )
