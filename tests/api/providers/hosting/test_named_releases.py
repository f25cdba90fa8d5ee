"""A release is deployed by its name on every platform: a commit where it builds, else the tag of an image."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from api.core.errors import Conflict, Refused, Rejected
from api.core.ports import Deployer
from api.providers import http
from tests.api.providers.hosting.killing import Killed, killed_after
from tests.api.providers.hosting.worlds import WORLDS, World, no_wait, world

COMMIT = "0c9e000710c9e000710c9e000710c9e000710c9e"
BUILT = {"render", "railway"}
LONG = 20.0
OVER = {"FIRSTUSER_LIVE_TTL_SECONDS": "60"}


@pytest.fixture(params=WORLDS)
def at(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=no_wait))
    with world(request.param) as made:
        yield made


def name_of(at: World) -> str:
    return COMMIT if at.name in BUILT else "1.2"


def test_it_is_deployed_with_its_variables_once_and_can_be_gone_back_from(at: World) -> None:
    assert isinstance(at.hosting, Deployer)
    at.fake.variables["FIRSTUSER_RELEASE"] = "1.1"
    made = at.hosting.deploy("production", name_of(at), OVER)
    assert at.hosting.deploy("production", name_of(at), OVER) == made, "it is on its way"
    at.hosting.wait_live("production", made, LONG)
    assert at.staging.release == name_of(at) and at.staging.starts == 3
    assert at.staging.variables.items() >= {**OVER, "OTHER": "untouched"}.items()
    if at.name != "ecs":  # whose first task definition had been made before
        assert at.staging.variables["FIRSTUSER_RELEASE"] == name_of(at)
    assert [one.release for one in at.hosting.deploys("production")] == ["1.0", "1.1", name_of(at)]
    assert at.hosting.deploy("production", name_of(at), OVER) == made, "it serves"
    at.hosting.wait_live("production", at.hosting.roll_back("production"), LONG)
    assert at.staging.release == "1.1"


def test_other_variables_are_another_deploy(at: World) -> None:
    first = at.hosting.deploy("production", name_of(at), {})
    at.hosting.wait_live("production", first, LONG)
    second = at.hosting.deploy("production", name_of(at), OVER)
    at.hosting.wait_live("production", second, LONG)
    assert second != first and at.staging.variables.items() >= OVER.items()


@pytest.mark.parametrize("name", ["render", "fly"])
def test_killed_after_any_request_it_is_deployed_by_the_next_run(name: str) -> None:
    killed, turn = True, 0
    while killed:
        turn += 1
        with world(name) as at:
            killed = False
            try:
                with killed_after(turn):
                    made = at.hosting.deploy("production", name_of(at), {})
                    at.hosting.wait_live("production", made, LONG)
            except Killed:
                killed = True
            at.hosting.wait_live("production", at.hosting.deploy("production", name_of(at), {}), LONG)
            assert at.staging.release == name_of(at) and at.staging.starts <= 4
            if name == "fly":
                images = {one.config["image"] for one in at.fake.app_machines.values()}
                assert images == {"registry.fly.io/firstuser-api:1.2"}
    assert turn > 4


def test_what_cannot_be_taken_back_is_marked_or_the_commit_has_to_say_it(at: World) -> None:
    if at.name in BUILT:
        with pytest.raises(Refused, match="what its commit says"):
            at.hosting.deploy("production", name_of(at), {}, irreversible=True)
        return
    made = at.hosting.deploy("production", "1.2", {}, irreversible=True)
    at.hosting.wait_live("production", made, LONG)
    with pytest.raises(Refused) as error:
        at.hosting.roll_back("production")
    assert error.value.code == "irreversible_migration"
    at.hosting.wait_live("production", at.hosting.deploy("production", "1.3", {}), LONG)
    assert not at.hosting.deploys("production")[-1].irreversible, "the mark is of one release"


@pytest.mark.parametrize("name", sorted(BUILT))
def test_where_commits_are_built_nothing_else_has_a_name(name: str) -> None:
    with world(name) as at, pytest.raises(Refused, match="no commit"):
        at.hosting.deploy("production", "1.2", {})
    assert at.staging.starts == 2


def test_a_service_of_an_image_takes_another_tag_or_says_why_not() -> None:
    with world("render") as at:
        at.fake.image = "docker.io/firstuser/api"
        at.hosting.wait_live("production", at.hosting.deploy("production", "1.2", {}), LONG)
        assert at.staging.release == "1.2"
    with world("railway") as at:
        at.fake.image = "docker.io/firstuser/api"
        with pytest.raises(Refused) as error:
            at.hosting.deploy("production", "1.2", {})
    assert error.value.code == "no_release_by_name" and "source" in str(error.value.fix)


def test_a_secret_is_no_part_of_a_release_and_staging_on_a_copy_waits(at: World) -> None:
    with pytest.raises(Refused, match="holds a secret"):
        at.hosting.deploy("production", name_of(at), {"SESSION_SECRET": "x"})
    away = at.hosting.point("staging", "postgresql://a:b@copy/x", restored_copy="drill-1")
    at.hosting.wait_live("staging", away, LONG)
    with pytest.raises(Conflict):
        at.hosting.deploy("staging", name_of(at), {})


def test_what_migrates_on_ecs_has_the_same_release() -> None:
    with world("ecs") as at:
        serving = next(reversed(at.fake.definitions.values()))
        (api,) = serving["containerDefinitions"]
        others = [{**api, "name": "migrate"}, {**api, "name": "logs", "image": "fluent-bit:3"}]
        serving["containerDefinitions"] = [api, *others]
        at.hosting.deploy("production", "1.2", {})
        made = next(reversed(at.fake.definitions.values()))["containerDefinitions"]
    assert [one["image"].rpartition(":")[2] for one in made] == ["1.2", "1.2", "3"]


def test_on_fly_what_serves_the_api_is_first_for_it_migrates() -> None:
    with world("fly") as at:
        at.fake.app_machines["3d8d5"].config["services"] = [{"internal_port": 8000}]
        at.fake.sick = {"registry.fly.io/firstuser-api:1.2"}
        with pytest.raises(Rejected, match="machine 3d8d5"):
            at.hosting.deploy("production", "1.2", {})
        assert at.fake.app_machines["148e1"].config["image"].endswith(":1.1"), "it waits for its turn"


def test_on_fly_a_machine_that_stays_red_keeps_the_others_from_it() -> None:
    with world("fly") as at:
        at.fake.sick = {"registry.fly.io/firstuser-api:1.2"}
        with pytest.raises(Rejected, match="become healthy: readyz"):
            at.hosting.deploy("production", "1.2", {})
        images = [one.config["image"].rpartition(":")[2] for one in at.fake.app_machines.values()]
    assert images == ["1.2", "1.1"] and at.staging.release == "1.1"
