"""Hosting on a platform keeps the same promises everywhere: the same tests run over each."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from api.core.errors import Conflict, FirstUserError, NotFound, Refused, Rejected, TimedOut
from api.core.ports import AccessChecker, HostingProvider, ReleaseKeeper, VariableLister
from api.providers import http
from api.providers.hosting.pointing import OWN
from tests.api.providers.hosting.killing import Killed, killed_after
from tests.api.providers.hosting.worlds import WORLDS, World, no_wait, world
from tests.platforms.fake import TOKEN, broken, lost, on_loopback, too_many
from tests.platforms.staging import OTHERS

DSN = "postgresql://app:planted-password@copy.example:5432/firstuser"
AT = datetime(2026, 11, 22, 3, tzinfo=UTC)
LONG = 20.0


@pytest.fixture(params=WORLDS)
def at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=no_wait))
    with world(request.param) as made:
        yield made


def point(at: World) -> str:
    return at.hosting.point("staging", DSN, restored_copy="drill-1", as_of=AT)


def go_home(at: World) -> None:
    served = at.hosting.wait_live("staging", at.hosting.point("staging", OWN), LONG)
    assert served.healthy and served.restored_copy is None
    left = {name: value for name, value in at.staging.variables.items() if value and "FIRSTUSER" in name}
    assert left.keys() <= {"FIRSTUSER_DEPLOY_ID", "FIRSTUSER_SECRETS_MARK"}
    assert at.staging.variables.items() >= OTHERS.items()


def test_it_is_all_that_the_flows_ask_for(at: World) -> None:
    port: HostingProvider = at.hosting
    assert port.name == at.name
    for more in (ReleaseKeeper, VariableLister, AccessChecker):
        assert isinstance(at.hosting, more)
    assert {"OTHER", "DATABASE_URL"} <= set(at.hosting.variables("production"))
    assert at.hosting.base_url("staging") == at.staging.url


def test_staging_is_pointed_at_a_copy_and_home_again(at: World) -> None:
    assert at.hosting.pointer("staging") == OWN
    away = point(at)
    if at.name != "fly":  # where it is us who bring it from machine to machine
        assert at.staging.starts == 2, "the old one goes on serving until the new one is live"
    served = at.hosting.wait_live("staging", away, LONG)
    assert (served.healthy, served.restored_copy, served.deploy_id) == (True, "drill-1", away)
    assert at.staging.variables["FIRSTUSER_RESTORED_DATABASE_URL"] == DSN
    assert at.staging.variables["FIRSTUSER_AS_OF"] == AT.isoformat()
    assert at.staging.variables.items() >= OTHERS.items(), "its own database's address is not touched"
    assert at.hosting.pointer("staging") == OWN, "whatever it serves now, home is where it belongs"
    assert at.hosting.state("staging").deploy_id == away
    assert "FIRSTUSER_DEPLOY_ID" not in at.hosting.variables("staging"), "no configuration of the service"
    go_home(at)


def test_a_drill_brings_no_newer_release_of_somebody_elses() -> None:
    with world("render") as at:
        at.fake.head = "9.9"  # pushed, and deployed by nobody yet
        at.hosting.wait_live("staging", point(at), LONG)
        assert at.staging.release == "1.1"


def test_variables_start_no_deploy_of_their_own() -> None:
    with world("railway") as at:
        at.hosting.wait_live("staging", point(at), LONG)
        assert at.fake.deploys == 0


def test_what_is_home_already_is_not_deployed(at: World) -> None:
    go_home(at)
    assert at.staging.starts == 2
    if at.name in {"render", "fly"}:  # the others ask by POST, too
        assert at.changes() == []


def test_a_deploy_that_fails_is_known_at_once_and_staging_can_go_home(at: World) -> None:
    at.fake.fails = 1
    with pytest.raises(Rejected, match="failed"):
        at.hosting.wait_live("staging", point(at), LONG)
    assert not at.staging.variables.get("FIRSTUSER_RESTORED_COPY")
    go_home(at)


def test_a_service_that_is_red_is_not_live(at: World) -> None:
    away = point(at)
    at.staging.status = 503
    with pytest.raises(TimedOut, match="database"):
        at.hosting.wait_live("staging", away, 0.2)


def test_only_a_process_that_says_our_mark_is_live(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    at.fake.on_live = lambda _variables, _release: None  # the platform says live, and the old one answers
    with pytest.raises(TimedOut, match="instead of"):
        at.hosting.wait_live("staging", point(at), 0.2)


def test_a_deploy_of_somebody_else_that_wins_is_seen(at: World) -> None:
    away = point(at)
    at.fake.overtake()
    try:
        served = at.hosting.wait_live("staging", away, 0.5)
    except FirstUserError:
        assert at.name in {"fly", "ecs"}, "where variables belong to the deploy, theirs has not got ours"
    else:
        assert served.restored_copy in {"drill-1", None}
        assert at.staging.variables.get("FIRSTUSER_RESTORED_COPY", None) == served.restored_copy
    go_home(at)


def test_an_answer_that_is_lost_starts_nothing_twice(at: World) -> None:
    at.fake.troubles = [lost("POST")]
    at.hosting.wait_live("staging", point(at), LONG)
    assert at.staging.starts == 3


def test_platforms_ask_for_patience_and_break_down(at: World) -> None:
    at.fake.troubles = [too_many(Retry_After="2"), too_many(Ratelimit_Reset="1"), broken(503)]
    at.hosting.wait_live("staging", point(at), LONG)
    assert at.staging.variables["FIRSTUSER_RESTORED_COPY"] == "drill-1"


def test_no_error_tells_a_secret(at: World) -> None:
    at.fake.token = "expired"
    with pytest.raises(Rejected) as error:
        point(at)
    assert "planted-password" not in str(error.value) and TOKEN not in str(error.value)
    assert error.value.fix
    found = at.hosting.check_access()
    assert found and any(one.ok is False and one.fix for one in found)
    assert TOKEN not in str(found) and "planted-password" not in str(found)


def test_access_is_told_without_a_change(at: World) -> None:
    found = at.hosting.check_access()
    assert {one.what.partition(":")[0] for one in found} == {"staging", "production"}
    assert all(one.ok in {True, None} for one in found)
    assert at.changes() == [] or at.name in {"railway", "ecs"}
    assert at.staging.starts == 2


def test_production_is_never_pointed_elsewhere(at: World) -> None:
    for call in (lambda: at.hosting.point("production", DSN), lambda: at.hosting.pointer("production")):
        with pytest.raises(NotFound):
            call()
    assert at.changes() == []


def test_roll_back_and_forth(at: World) -> None:
    known = at.hosting.deploys("staging")
    assert [one.release for one in known] == ["1.0", "1.1"]
    back = at.hosting.roll_back("staging")
    at.hosting.wait_live("staging", back, LONG)
    assert at.staging.release == "1.0" and at.hosting.served("staging").deploy_id == back
    assert at.hosting.roll_back("staging") == back, "asked again, nothing more happens"
    assert at.hosting.deploys("staging")[-1].release == "1.0"
    forth = at.hosting.roll_back("staging", known[-1].id)
    at.hosting.wait_live("staging", forth, LONG)
    assert at.staging.release == "1.1"
    assert at.hosting.roll_back("staging", known[-1].id) == forth
    assert at.staging.variables.items() >= OTHERS.items()


def test_a_rollback_on_railway_brings_back_no_secret_that_is_retired_and_no_copy() -> None:
    with world("railway") as at:
        at.fake.variables |= {
            "SESSION_SECRET": "retired",
            "FIRSTUSER_RESTORED_DATABASE_URL": DSN,
            "OTHER": "then",
        }
        at.fake.push("1.2")
        at.fake.variables |= {
            "SESSION_SECRET": "of today",
            "FIRSTUSER_RESTORED_DATABASE_URL": "",
            "OTHER": "now",
        }
        at.fake.push("1.3")
        at.hosting.wait_live("production", at.hosting.roll_back("production"), LONG)
        found = at.staging.variables
    assert (at.staging.release, found["OTHER"]) == ("1.2", "then"), "Railway itself brings back the rest"
    assert (found["SESSION_SECRET"], found["FIRSTUSER_RESTORED_DATABASE_URL"]) == ("of today", "")


def test_a_rollback_asked_for_twice_is_one_while_it_is_on_its_way(at: World) -> None:
    back = at.hosting.roll_back("production")
    assert at.hosting.roll_back("production") == back
    at.hosting.wait_live("production", back, LONG)
    assert at.staging.release == "1.0"


def test_deploys_of_the_same_release_are_nothing_to_go_back_to(at: World) -> None:
    for mark in ("rot-1", "rot-2"):
        at.hosting.wait_live("production", at.hosting.redeploy("production", mark), LONG)
    at.hosting.wait_live("production", at.hosting.roll_back("production"), LONG)
    assert at.staging.release == "1.0"


def test_nothing_goes_back_over_a_migration_that_cannot_be_taken_back(at: World) -> None:
    at.fake.push("1.2", irreversible=True)
    with pytest.raises(Refused) as error:
        at.hosting.roll_back("production")
    assert error.value.code == "irreversible_migration"
    assert at.fake.live() == "1.2"


def test_there_may_be_nothing_to_go_back_to(at: World) -> None:
    at.fake.push("1.0")
    with pytest.raises(Refused):
        at.hosting.roll_back("production", "dep_unknown")


def test_nothing_is_rolled_back_over_a_restored_copy(at: World) -> None:
    at.hosting.wait_live("staging", point(at), LONG)
    with pytest.raises(Conflict):
        at.hosting.roll_back("staging")
    go_home(at)


def test_a_redeploy_is_one_however_often_it_is_asked_for(at: World) -> None:
    first = at.hosting.redeploy("production", "rot-1")
    assert at.hosting.redeploy("production", "rot-1") == first, "it is on its way"
    at.hosting.wait_live("production", first, LONG)
    assert at.hosting.redeploy("production", "rot-1") == first, "it serves"
    assert at.staging.starts == 3 and at.staging.variables["FIRSTUSER_DEPLOY_ID"] == "rot-1"
    second = at.hosting.redeploy("production", "rot-2")
    at.hosting.wait_live("production", second, LONG)
    assert at.staging.starts == 4 and second != first


def test_a_redeploy_that_failed_is_made_again(at: World) -> None:
    at.fake.fails = 1
    with pytest.raises(Rejected):
        at.hosting.wait_live("production", at.hosting.redeploy("production", "rot-1"), LONG)
    at.hosting.wait_live("production", at.hosting.redeploy("production", "rot-1"), LONG)
    assert at.staging.variables["FIRSTUSER_DEPLOY_ID"] == "rot-1"


def test_other_services_run_anew_where_they_hold_what_changed(at: World) -> None:
    """One that answers nowhere is live when its platform says so."""
    make, service = WORLDS[at.name]
    with on_loopback(make()) as there:
        there.variables = {"SESSION_SECRET": "x"}
        there.push("1.0")
        at.hosting._others = {"worker": service(there)}
        at.hosting.redeploy_others("NOBODY_HAS_IT", "rot-1", LONG)
        starts: list[str] = []
        there.on_live = lambda variables, _: starts.append(variables["FIRSTUSER_DEPLOY_ID"])
        at.hosting.redeploy_others("SESSION_SECRET", "rot-1", LONG)
        assert starts == ["rot-1"]
        there.fails = 1
        with pytest.raises(Rejected, match=r"worker: deploy|failed to start"):
            at.hosting.redeploy_others("SESSION_SECRET", "rot-2", LONG)
    assert at.staging.starts == 2, "production's own is another matter"


@pytest.mark.parametrize("name", WORLDS)
def test_killed_after_any_request_the_next_run_puts_staging_home(name: str) -> None:
    """Killed on the way to the copy, and again on the way home."""
    killed, turn = True, 0
    while killed:
        turn += 1
        with world(name) as at:
            killed = _dies(lambda at=at: at.hosting.wait_live("staging", point(at), LONG), turn)
            _dies(lambda at=at: go_home(at), turn)
            go_home(at)
            assert at.hosting.deploys("staging")[-1].release == "1.1"
    assert turn > 5


def _dies(run: Callable[[], object], turn: int) -> bool:
    try:
        with killed_after(turn):
            run()
    except Killed:
        return True
    return False
