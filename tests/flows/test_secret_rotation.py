"""`secret-rotation`: a plan first, names only, what is due and nothing else, and an incident asks."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError
from prefect.states import State
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.alerts import views
from api.core.crypto import Vault
from api.core.errors import NotFound, Refused
from api.core.rotation import service
from api.db.engine import Engine, session_scope
from flows import reporting, rotation_run, secret_rotation, wiring
from tests.crash.rotations import World
from tests.crash.test_rotation import Case, new_case
from tests.product import engine, product_url, vault

__all__ = ["engine", "product_url", "vault"]
LONG = timedelta(days=91)


@pytest.fixture
def case(engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """The only integration there is, its key older than its cadence, its secret of today."""
    world = World(engine, vault)
    with Session(engine) as session, session.begin():
        session.execute(text("delete from api_keys"))
        session.execute(text("delete from webhook_secrets"))
        session.execute(text("update ops.rotations set state = 'superseded' where state = 'running'"))
    made = new_case(world, "api_key")
    with Session(engine) as session, session.begin():
        session.execute(text("update api_keys set created_at = created_at - :l"), {"l": LONG})
    rotations = world.rotations()
    monkeypatch.setattr(wiring, "rotations", lambda: rotations)
    monkeypatch.setattr(wiring, "transaction", lambda: session_scope(engine))
    monkeypatch.setattr(rotation_run, "system_clock", lambda: world.now)
    yield made


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    made: dict[str, str] = {}

    async def keep(**artifact: Any) -> None:
        made[artifact["key"]] = artifact["markdown"]

    monkeypatch.setattr(reporting, "create_markdown_artifact", keep)
    return made


def run(**parameters: Any) -> State[Any]:
    """The flow's own function, its tasks as plain calls: no Prefect around it."""

    async def go() -> State[Any]:
        return await secret_rotation.secret_rotation.fn(**parameters)

    return asyncio.run(go())


@pytest.fixture(autouse=True)
def without_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    class Log:
        def info(self, said: str) -> None:
            pass

    monkeypatch.setattr(secret_rotation, "get_run_logger", Log)
    monkeypatch.setattr(secret_rotation, "rotate", secret_rotation.rotate.fn)


def overdue(engine: Engine) -> list[str]:
    """The messages of the alerts that are open."""
    with Session(engine) as session:
        return [one.message for one in views.open_alerts(session, "") if one.rule == "secret_overdue"]


def test_what_is_due_is_planned_rotated_and_waits_for_its_owner(case: Case, shown: dict[str, str]) -> None:
    rotation_run.finish()
    (told,) = overdue(case.world.engine)
    assert told == f"{case.name} is 91 days old, to be rotated every 90 days"
    assert run(mode="scheduled").is_completed()
    plan, proof = shown["rotation-plan"], shown["rotation-proof"]
    assert case.name in plan and "91 days" in plan and "due: every 90 days" in plan
    assert f"webhook_secret:{case.integration_id}" not in plan
    assert "waitlist/start with the new key | 201 or 200 | key accepted" in proof
    (begun,) = service.running(Session(case.world.engine), case.name)
    assert case.works(case.old) and begun.handed_over_at is None
    assert overdue(case.world.engine) == [told], "the old one is in use until somebody has the new one"
    value = case.world.rotations().pick_up(begun.id, "fnd_1").plaintext
    assert value and value not in plan + proof and case.old not in plan + proof
    assert run(mode="finish").is_completed() and overdue(case.world.engine) == []
    case.world.now += timedelta(hours=25)
    assert run(mode="finish").is_completed()
    assert "the old one is refused | 401 | 401" in shown["rotation-proof"] and not case.works(case.old)


def test_several_that_are_overdue_are_one_alert_until_the_last_is_rotated(case: Case) -> None:
    other = new_case(case.world, "webhook_secret")
    rows = case.world.rotations().standing()
    later = case.world.now + LONG
    late = [row for row in rows if row.due(later)]
    assert len(late) > 2 and other.name in {row.held.name for row in late}
    rotation_run.tell_of_overdue(late, later)
    (told,) = overdue(case.world.engine)
    assert all(row.held.name in told for row in late)
    rotation_run.tell_of_overdue(late[:1], later)
    assert len(overdue(case.world.engine)) == 1
    rotation_run.tell_of_overdue([row for row in rows if not row.due(case.world.now)], case.world.now)
    assert overdue(case.world.engine) == []


def test_an_incident_asks_and_a_no_changes_nothing(
    case: Case, shown: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[secret_rotation.Confirmation] = []

    async def ask(wait_for_input: type, timeout: int, key: str) -> secret_rotation.Confirmation:
        assert case.name in shown["rotation-plan"], "the plan is there before the question"
        return answers.pop()

    monkeypatch.setattr(secret_rotation, "suspend_flow_run", ask)
    asked: dict[str, Any] = {"mode": "incident", "names": [case.name], "reason": "leaked"}
    for word in (False, True):
        answers.append(secret_rotation.Confirmation(end_the_old_ones_now=word, name="Ada"))
        assert run(**asked).is_completed()
        assert case.works(case.old) is not word
    (ended, *_) = service.recent(Session(case.world.engine), 1, case.name)
    assert ended.reason == "leaked (confirmed by Ada)" and ended.mode.value == "incident"


def test_what_is_not_proven_turns_the_run_red(
    case: Case, shown: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    works = World.key_works
    monkeypatch.setattr(World, "key_works", lambda self, plaintext: plaintext == case.old)  # type: ignore[misc]
    ended = run(mode="scheduled")
    assert ended.is_failed() and "401" in str(ended.message) and "| ✕ |" in shown["rotation-proof"]
    monkeypatch.setattr(World, "key_works", works)
    assert case.works(case.old) and run(mode="finish").is_completed()


@pytest.mark.parametrize("bad", [{"mode": "x"}, {"names": ["api_key:int_x; drop"]}, {"reason": "x" * 501}])
def test_the_form_refuses_what_makes_no_sense(bad: dict[str, object]) -> None:
    with pytest.raises(ParameterTypeError, match="invalid parameters"):
        secret_rotation.secret_rotation.validate_parameters(bad)


def test_an_incident_without_names_or_a_reason_is_refused(case: Case) -> None:
    for missing in ({"names": [case.name]}, {"reason": "leaked"}):
        with pytest.raises(Refused, match="names its secrets"):
            run(mode="incident", **missing)
    with pytest.raises(NotFound, match="no secret 'SESSION'"):
        run(mode="scheduled", names=["SESSION"])
