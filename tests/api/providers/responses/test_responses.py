"""An effect counts when it is seen: each response with its negative controls, on a real database."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey
from api.core.incidents import telemetry
from api.core.incidents.telemetry import Instance
from api.core.ports import ServiceState
from api.core.preflight.records import Role
from api.providers.responses.pages import Page
from api.providers.responses.retries import PauseRetries
from api.providers.responses.rollback import RollBack
from api.providers.responses.switches import Switch
from tests.api.core.places import new_place

Transaction = Callable[[], AbstractContextManager[Session]]


@pytest.fixture
def transaction(session: Session) -> Transaction:
    session.execute(text("truncate api_instances, flags"))
    return lambda: nullcontext(session)


def clock() -> datetime:
    return datetime.now(UTC)


def alive(session: Session, name: str, flags_seen: str, at: datetime) -> None:
    telemetry.beat(session, Instance(name, "1.0", "dep", flags_seen, at))


def test_a_switch_is_done_when_every_process_goes_by_it_and_a_canary_is_refused(
    session: Session, transaction: Transaction, vault: Vault
) -> None:
    place, said = new_place(session, vault).integration_id, ["The canary got 200."]
    switch = Switch(FlagKey.INTEGRATION_ENABLED, False, lambda _: said[0], transaction, clock)
    before = flags.fingerprint(session)
    acted = telemetry.database_now(session)
    assert switch.act(place, "inc_1") == {"changed": True}
    later = acted + timedelta(seconds=1)
    assert not switch.observe(place, {}, acted).true, "no process lives"
    alive(session, "one", flags.fingerprint(session), later)
    alive(session, "two", before, later)
    behind = switch.observe(place, {}, acted)
    assert not behind.true and "two" in behind.said
    alive(session, "two", flags.fingerprint(session), later)
    assert switch.observe(place, {}, acted).said == "The canary got 200."
    said[0] = ""
    assert switch.observe(place, {}, acted).true
    assert "on" in switch.undo(place, "Ada", "over")
    assert switch.undo(place, "Ada", "over") == "", "what a person set is theirs"


def test_retries_are_paused_when_nothing_was_claimed_since(
    session: Session, transaction: Transaction, vault: Vault
) -> None:
    place = new_place(session, vault).integration_id
    session.execute(
        text("update integrations set webhook_url = 'https://x.example' where id = :i"), {"i": place}
    )
    response = PauseRetries(transaction, clock)
    done, long_ago = response.act("", "inc_1"), clock() - timedelta(minutes=1)
    assert response.observe("", done, long_ago).true and not response.observe("", done, clock()).true
    session.execute(text("update webhook_lanes set claim_id = claim_id + 1"))
    assert "1 claims since" in response.observe("", done, long_ago).said
    response.undo("", "Ada", "over")
    assert "does not hold" in response.observe("", done, long_ago).said


class Hosting:
    name = "fake"
    serves = ServiceState(True, "dep_old", None)

    def deploys(self, service: str) -> list[object]:
        return []

    def roll_back(self, service: str, to: str = "") -> str:
        return "dep_back"

    def served(self, service: str) -> ServiceState:
        return self.serves


def test_a_rollback_is_done_when_that_deploy_serves_and_is_green() -> None:
    hosting = Hosting()
    response = RollBack(hosting)  # type: ignore[arg-type]
    done = response.act("production", "inc_1")
    assert "serves dep_old" in response.observe("production", done, clock()).said
    hosting.serves = ServiceState(False, "dep_back", None, "database")
    assert "not green" in response.observe("production", done, clock()).said
    hosting.serves = ServiceState(True, "dep_back", None)
    assert response.observe("production", done, clock()).true


def test_a_page_is_done_when_a_channel_has_accepted_it(session: Session, transaction: Transaction) -> None:
    page = Page(Role.ROLLBACK, "test", transaction, clock)
    done = page.act("production", "inc_1")
    assert not page.observe("production", done, clock()).true
    session.execute(
        text("update alert_messages set state = 'sent' where alert_id = :a"), {"a": done["alert_id"]}
    )
    assert page.observe("production", done, clock()).true
    message = session.scalar(text("select message from alerts where id = :a"), {"a": done["alert_id"]})
    assert "No rollback owner is named" in message and "cannot be taken back" in message
