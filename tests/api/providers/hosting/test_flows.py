"""What flows do with hosting, on every platform: a rehearsal there and back, an incident's rollback."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from api.core.clock import system_clock
from api.core.errors import Rejected
from api.core.preflight.rehearsals import Rehearsal
from api.core.preflight.rehearsing import Rehearsing
from api.db.engine import session_scope
from api.providers.responses.rollback import RollBack
from tests.api.providers.hosting.killing import Killed, killed_after
from tests.api.providers.hosting.worlds import WORLDS, World, world
from tests.product import engine, product_url

__all__ = ["engine", "product_url"]


@pytest.fixture(params=WORLDS)
def at(request: pytest.FixtureRequest) -> Iterator[World]:
    with world(request.param) as made:
        yield made


def rehearsing(at: World, engine: Engine) -> Rehearsing:
    def works(release: str) -> str:
        if at.staging.release != release:
            said = f"it serves {at.staging.release} instead of {release}"
            raise Rejected(said, provider="product", operation="rehearse")
        return "works"

    return Rehearsing(lambda: session_scope(engine), at.hosting, at.hosting, works, system_clock, wait_s=20)


def through(one: Rehearsing, begun: Rehearsal) -> Rehearsal:
    one.go_back(begun)
    assert "works" in one.come_forth(begun)
    return one.conclude(begun, None)


def test_a_rehearsal_goes_back_and_forth(at: World, engine: Engine) -> None:
    one = rehearsing(at, engine)
    found = through(one, one.begin(None))
    assert (found.status, found.of_release, found.to_release) == ("passed", "1.1", "1.0"), found.detail
    assert at.staging.release == "1.1" and at.staging.starts == 4
    if at.name == "render":
        assert at.fake.autodeploy == "yes", "as it was before"


@pytest.mark.parametrize("turn", [4, 9, 14, 19])
def test_a_rehearsal_that_was_killed_is_put_right(at: World, engine: Engine, turn: int) -> None:
    one = rehearsing(at, engine)
    begun = one.begin(None)
    with pytest.raises(Killed), killed_after(turn):
        through(one, begun)
        raise Killed
    assert one.undo()
    assert at.hosting.deploys("staging")[-1].release == "1.1"
    assert at.staging.release == "1.1" or at.fake.live() == "1.1"
    assert one.undo() == []


def test_an_incidents_rollback_is_done_when_it_is_seen(at: World) -> None:
    purged: list[bool] = []
    response = RollBack(at.hosting, lambda: purged.append(True))
    done = response.act("production", "inc_1")
    assert response.act("production", "inc_1") == done, "acted again after a kill"
    for _ in range(20):
        seen = response.observe("production", done, datetime.now(UTC))
        if seen.true:
            break
        assert not purged
    assert seen.true and at.staging.release == "1.0" and purged == [True]
    assert "purged" in seen.said
    if at.name == "render":
        assert at.fake.autodeploy == "no", "the next push would undo it"


def test_a_rollback_that_stays_red_is_not_done(at: World) -> None:
    response = RollBack(at.hosting)
    done = response.act("production", "inc_1")
    at.hosting.wait_live("production", done["deploy_id"], 20)
    at.staging.status = 503
    seen = response.observe("production", done, datetime.now(UTC))
    assert not seen.true and "not green" in seen.said
