"""Every secret store keeps the same promises: the same tests run over each of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws
from moto.secretsmanager.exceptions import SecretNotFoundException
from moto.secretsmanager.models import SecretsManagerBackend
from pydantic import SecretStr

from api.core.errors import Conflict, NotFound, Refused
from api.core.rotation.stores import SecretStore, Stage
from api.providers.secret_stores import STORES, secret_store, secret_stores
from api.settings import Settings, load
from tests.platforms.fake import TOKEN, FakePlatform, on_loopback
from tests.platforms.fly import APP, FakeFly
from tests.platforms.railway import PLACE, FakeRailway
from tests.platforms.render import SERVICE, FakeRender

NAME = "SESSION_SECRET"
PLATFORMS: dict[str, tuple[type[FakePlatform], str, dict[str, Any]]] = {
    "render": (FakeRender, "render_url", {"render_api_key": SecretStr(TOKEN), "render_service_id": SERVICE}),
    "railway": (
        FakeRailway,
        "railway_url",
        {
            "railway_token": SecretStr(TOKEN),
            "railway_project_id": PLACE["projectId"],
            "railway_environment_id": PLACE["environmentId"],
            "railway_service_id": PLACE["serviceId"],
        },
    ),
    "fly": (FakeFly, "fly_url", {"fly_api_token": SecretStr(TOKEN), "fly_app_name": APP}),
}
LISTED = SecretsManagerBackend.list_secret_version_ids
AWS = {"access_key_id": "test", "secret_access_key": SecretStr("test"), "region": "eu-central-1"}


@contextmanager
def opened(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretStore]:
    """As the settings make it, on an empty platform."""
    file.write_text("# kept\nOTHER='x'\n")
    monkeypatch.setenv("FIRSTUSER_ENV_FILE", str(file))
    settings = load()
    settings = replace(settings, store=settings.store.model_copy(update=AWS))
    if name not in PLATFORMS:
        with mock_aws():
            monkeypatch.setattr(SecretsManagerBackend, "list_secret_version_ids", known_secrets_only)
            yield secret_store(settings, name)
        return
    make, url, credentials = PLATFORMS[name]
    with on_loopback(make()) as platform:
        yield secret_store(with_platform(settings, {url: platform.url} | credentials), name)
        assert platform.variables["OTHER"] == "untouched"
        assert platform.deploys == 0


def known_secrets_only(backend: SecretsManagerBackend, secret_id: str) -> Any:
    """moto breaks down where AWS says that there is no such secret."""
    if secret_id not in backend.secrets:
        raise SecretNotFoundException
    return LISTED(backend, secret_id)


def with_platform(settings: Settings, values: dict[str, Any]) -> Settings:
    return replace(settings, platforms=settings.platforms.model_copy(update=values))


@pytest.fixture(params=STORES)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SecretStore]:
    with opened(request.param, tmp_path / "production.env", monkeypatch) as made:
        assert made.name == request.param
        yield made


def test_stores_are_made_from_settings_and_say_what_is_missing() -> None:
    settings = load()
    named = with_platform(settings, {"secret_stores": "aws, ssm"})
    assert [one.name for one in secret_stores(named)] == ["aws", "ssm"]
    with pytest.raises(Refused, match="no secret store 'vault'"):
        secret_store(settings, "vault")
    for name, variable in (
        ("render", "RENDER_API_KEY"), ("railway", "RAILWAY_TOKEN"), ("fly", "FLY_API_TOKEN")
    ):  # fmt: skip
        with pytest.raises(Refused, match=f"{variable} is not set"):
            secret_store(settings, name)


def test_each_service_of_production_has_a_store_of_its_own() -> None:
    services = {"secret_stores": "render, ssm", "production_services": "srv-api, srv-watcher,srv-worker"}
    given = {"render_api_key": SecretStr(TOKEN), "render_service_id": "srv-of-whoever-asks"}
    found = secret_stores(with_platform(load(), services | given))
    assert [one.name for one in found] == ["render", "render, srv-watcher", "render, srv-worker", "ssm"]


def stages(store: SecretStore, name: str = NAME) -> dict[Stage, int]:
    return {one.stage: one.version for one in store.describe(name)}


def through(store: SecretStore, versions: Sequence[int], name: str = NAME) -> None:
    for version in versions:
        store.put_pending(name, version, f"value {version} of {name}")
        store.promote(name, version)


def test_a_secret_goes_from_pending_to_current_to_previous_to_nothing(store: SecretStore) -> None:
    assert stages(store) == {}
    store.put_pending(NAME, 1, "first")
    assert stages(store) in ({Stage.PENDING: 1}, {Stage.CURRENT: 1})
    store.promote(NAME, 1)
    assert stages(store) == {Stage.CURRENT: 1}
    store.put_pending(NAME, 2, "second")
    assert stages(store) == {Stage.PENDING: 2, Stage.CURRENT: 1}
    assert store.read(NAME, Stage.PENDING) == "second"
    store.promote(NAME, 2)
    assert stages(store) == {Stage.CURRENT: 2, Stage.PREVIOUS: 1}
    assert store.read(NAME, Stage.CURRENT) == "second"
    assert store.read(NAME, Stage.PREVIOUS) == "first"
    store.retire(NAME, 1)
    assert stages(store) == {Stage.CURRENT: 2}
    with pytest.raises(NotFound):
        store.read(NAME, Stage.PREVIOUS)


def test_every_call_can_be_made_again(store: SecretStore) -> None:
    through(store, [1])
    for _ in range(2):
        store.put_pending(NAME, 2, "second")
    assert stages(store) == {Stage.PENDING: 2, Stage.CURRENT: 1}
    for _ in range(2):
        store.promote(NAME, 2)
    store.put_pending(NAME, 2, "second")
    assert stages(store) == {Stage.CURRENT: 2, Stage.PREVIOUS: 1}
    for _ in range(2):
        store.retire(NAME, 1)
    assert stages(store) == {Stage.CURRENT: 2}


def test_another_value_under_the_same_version_is_a_conflict(store: SecretStore) -> None:
    through(store, [1])
    store.put_pending(NAME, 2, "second")
    with pytest.raises(Conflict):
        store.put_pending(NAME, 2, "another")
    with pytest.raises(Conflict):
        store.put_pending(NAME, 1, "another")
    assert store.read(NAME, Stage.PENDING) == "second"


def test_one_version_is_pending_at_a_time_until_it_is_retired(store: SecretStore) -> None:
    through(store, [1])
    store.put_pending(NAME, 2, "second")
    with pytest.raises(Conflict):
        store.put_pending(NAME, 3, "third")
    store.retire(NAME, 2)
    assert stages(store) == {Stage.CURRENT: 1}
    store.put_pending(NAME, 3, "third")
    assert stages(store) == {Stage.PENDING: 3, Stage.CURRENT: 1}


def test_a_new_version_has_a_new_value(store: SecretStore) -> None:
    store.put_pending(NAME, 1, "first")
    store.promote(NAME, 1)
    with pytest.raises(Conflict):
        store.put_pending(NAME, 2, "first")


@pytest.mark.parametrize("value", ["", "  ", "two\nlines"])
def test_a_value_that_no_variable_can_hold_is_refused(store: SecretStore, value: str) -> None:
    with pytest.raises(Refused):
        store.put_pending(NAME, 1, value)
    assert stages(store) == {}


def test_the_way_back_swaps_current_and_previous(store: SecretStore) -> None:
    through(store, [1, 2])
    for _ in range(2):
        store.promote(NAME, 1)
    assert stages(store) == {Stage.CURRENT: 1, Stage.PREVIOUS: 2}
    assert store.read(NAME, Stage.CURRENT) == f"value 1 of {NAME}"
    store.retire(NAME, 2)
    store.put_pending(NAME, 3, "third")
    store.promote(NAME, 3)
    assert stages(store) == {Stage.CURRENT: 3, Stage.PREVIOUS: 1}


def test_what_is_not_there_cannot_be_promoted(store: SecretStore) -> None:
    with pytest.raises(NotFound):
        store.promote(NAME, 1)
    through(store, [1])
    with pytest.raises(NotFound):
        store.promote(NAME, 2)
    assert stages(store) == {Stage.CURRENT: 1}


def test_the_current_version_cannot_be_retired(store: SecretStore) -> None:
    through(store, [1])
    with pytest.raises(Conflict):
        store.retire(NAME, 1)
    assert store.read(NAME, Stage.CURRENT)


def test_a_third_version_pushes_the_first_out(store: SecretStore) -> None:
    through(store, [1, 2, 3])
    assert stages(store) == {Stage.CURRENT: 3, Stage.PREVIOUS: 2}


def test_secrets_do_not_touch_one_another(store: SecretStore) -> None:
    through(store, [1, 2])
    through(store, [1], "INTEGRATION_WIDGET_SIGNING_SECRET")
    assert stages(store) == {Stage.CURRENT: 2, Stage.PREVIOUS: 1}
    assert stages(store, "INTEGRATION_WIDGET_SIGNING_SECRET") == {Stage.CURRENT: 1}


def test_a_stage_is_known_with_its_time(store: SecretStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    through(store, [1, 2])
    for one in store.describe(NAME):
        assert one.since is not None
        assert before <= one.since <= datetime.now(UTC) + timedelta(seconds=2)


def test_values_come_back_letter_for_letter(store: SecretStore) -> None:
    value = "a+b/c= \\ ' \" $HOME ${x} # é; \\n"
    store.put_pending(NAME, 1, value)
    store.promote(NAME, 1)
    assert store.read(NAME, Stage.CURRENT) == value
    assert value not in repr(store.describe(NAME))
