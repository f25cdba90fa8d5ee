"""A drill's row says at every moment what is left to undo; its verdict is written once, with evidence."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.core.clock import system_clock
from api.core.drills import queries, service
from api.core.drills.records import DrillStatus, Phase, check
from api.core.drills.verdict import Verdict
from api.core.errors import NotFound
from api.core.evidence import service as evidence
from api.core.ports import Handle
from api.db.engine import Engine, Session, session_scope

PASSED = Verdict(DrillStatus.PASSED, [], "Nothing to do.")


def begin(session: Session) -> str:
    return service.begin(
        session,
        asked_target="latest",
        trigger="ops",
        flow_run_id="run-1",
        rto_target=60,
        rpo_target=60,
        check_names=["login"],
        now=system_clock(),
    )


def left(session: Session) -> list[str]:
    return [drill.id for drill in queries.to_undo(session, system_clock())]


def test_what_is_left_to_undo_follows_the_drill(engine: Engine) -> None:
    now = system_clock()
    with session_scope(engine) as session:
        drill = begin(session)
        assert left(session) == [drill]
        service.finish(session, drill, PASSED, now)
        session.flush()
        assert left(session) == []
        service.intend_database(
            session, drill, name="drill-1", target=now, restore_point="full-1", keep_until=None
        )
        session.flush()
        assert left(session) == [drill]
        service.database_destroyed(session, drill, now)
        service.intend_pointing(session, drill, "own")
        session.flush()
        assert left(session) == [drill]
        service.staging_restored(session, drill, now)
        session.flush()
        assert left(session) == []


def test_a_kept_copy_is_left_alone_until_its_time(engine: Engine) -> None:
    now = system_clock()
    with session_scope(engine) as session:
        drill = begin(session)
        service.finish(session, drill, PASSED, now)
        service.intend_database(
            session,
            drill,
            name="drill-1",
            target=now,
            restore_point="full-1",
            keep_until=now + timedelta(hours=1),
        )
        session.flush()
        assert list(queries.to_undo(session, now)) == []
        assert [d.id for d in queries.to_undo(session, now + timedelta(hours=2))] == [drill]


def test_the_first_home_of_staging_counts(engine: Engine) -> None:
    with session_scope(engine) as session:
        drill = begin(session)
        service.intend_pointing(session, drill, "own")
        service.intend_pointing(session, drill, "postgresql://somewhere/else")
        assert service.row(session, drill).staging_home == "own"


def test_a_finished_drill_reads_back_whole_and_finishes_once(engine: Engine) -> None:
    now = system_clock()
    with session_scope(engine) as session:
        drill = begin(session)
        for phase in (Phase.LOCATE, Phase.POINT, Phase.VERIFY, Phase.VERIFY, Phase.TEARDOWN):
            service.record_phase(session, drill, phase, 1.5)
            session.flush()
        service.add_checks(session, drill, [check("login", False, "a", "b", "c")])
        service.add_checks(session, drill, [check("login", True, "a", "a")])
        service.database_created(session, drill, Handle("drill-1", now, now, {"port": "1"}))
        service.record_rpo(session, drill, 3.0, {"behind_target": 0.2})
        first = service.finish(session, drill, PASSED, now)
        assert service.finish(session, drill, PASSED, now) == first
    with Session(engine) as session:
        read = service.get(session, drill)
        assert read.status is DrillStatus.PASSED
        assert read.rto_seconds == 6.0  # 1.5 + 1.5 + 2 × 1.5; tearing down is not in it
        assert [(c.name, c.ok) for c in read.checks] == [("login", True)]
        assert service.by_flow_run(session, "run-1") == read
        assert service.last_passed(session) == read
        assert service.handle(service.row(session, drill)) == Handle("drill-1", now, now, {"port": "1"})
        assert evidence.verify(session, service.EVIDENCE_STREAM) is None
        assert [r.id for r in evidence.records(session, "drills")] == [first]


def test_an_unknown_drill_is_not_found(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(NotFound, match="drl_none"):
        service.get(session, "drl_none")


@pytest.mark.parametrize(
    "change", ["UPDATE ops.evidence SET kind = 'x'", "DELETE FROM ops.evidence", "TRUNCATE ops.evidence"]
)
def test_the_ledger_refuses_every_change(engine: Engine, change: str) -> None:
    with session_scope(engine) as session:
        evidence.append(session, "drills", "drill", {"n": 1.5, "ü": None}, system_clock())
    with pytest.raises(DBAPIError, match="append-only"), session_scope(engine) as session:
        session.execute(text(change))


def test_tampering_behind_the_trigger_is_found(engine: Engine) -> None:
    with session_scope(engine) as session:
        for n in range(3):
            evidence.append(session, "drills", "drill", {"n": n}, system_clock())
        session.flush()
        assert evidence.verify(session, "drills") is None
        session.execute(text("ALTER TABLE ops.evidence DISABLE TRIGGER USER"))
        session.execute(text("UPDATE ops.evidence SET body = '{\"n\": 7}' WHERE seq = 2"))
        found = evidence.verify(session, "drills")
    assert found is not None
    assert "(record 2) was changed" in found
