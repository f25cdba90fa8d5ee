"""AWS by way of moto, killed before or after any of its calls: made again, the step ends where it would have
ended, and at no moment is the working value gone."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.secretsmanager.models import SecretsManagerBackend

from api.core.rotation.stores import SecretStore, Stage
from api.providers.secret_stores.parameter_store import ParameterStore
from api.providers.secret_stores.secrets_manager import SecretsManagerStore
from tests.api.providers.secret_stores.test_contract import known_secrets_only

NAME = "SESSION_SECRET"
WRITES = {
    "create_secret",
    "put_secret_value",
    "update_secret_version_stage",
    "put_parameter",
    "label_parameter_version",
    "unlabel_parameter_version",
}
Make = Callable[[Any], SecretStore]
Step = Callable[[SecretStore], None]
MAKERS: dict[str, tuple[str, Make]] = {
    "aws": ("secretsmanager", lambda client: SecretsManagerStore(client, "p")),
    "ssm": ("ssm", lambda client: ParameterStore(client, "p")),
}
STEPS: dict[str, tuple[list[Step], Step]] = {
    "put": ([], lambda store: store.put_pending(NAME, 2, "second")),
    "promote": (
        [lambda store: store.put_pending(NAME, 2, "second")],
        lambda store: store.promote(NAME, 2),
    ),
    "retire": (
        [lambda store: store.put_pending(NAME, 2, "second"), lambda store: store.promote(NAME, 2)],
        lambda store: store.retire(NAME, 1),
    ),
    "way back": (
        [lambda store: store.put_pending(NAME, 2, "second"), lambda store: store.promote(NAME, 2)],
        lambda store: store.promote(NAME, 1),
    ),
    "give up": (
        [lambda store: store.put_pending(NAME, 2, "second")],
        lambda store: store.retire(NAME, 2),
    ),
}


class Killed(BaseException):
    """Like SIGKILL: nobody handles it."""


class Deadly:
    """The client, whose owner dies before (or after) its write number `at`."""

    def __init__(self, client: Any, at: int, after: bool) -> None:
        self._client, self._at, self._after = client, at, after
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._client, name)
        return self._counted(real) if name in WRITES else real

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(**asked: Any) -> Any:
            self.writes += 1
            dies = self.writes == self._at
            if dies and not self._after:
                raise Killed
            answer = real(**asked)
            if dies:
                raise Killed
            return answer

        return call


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(SecretsManagerBackend, "list_secret_version_ids", known_secrets_only)
    with mock_aws():
        yield


def fresh(service: str, make: Make, name: str, before: list[Step], by_hand: bool) -> Any:
    """A client on a secret in the state before the step; `name` keeps the tries apart."""
    client = boto3.client(
        service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    if by_hand and service == "ssm":
        client.put_parameter(Name=f"/{name}/{NAME}", Value="first", Type="SecureString")
    elif by_hand:
        client.create_secret(Name=f"{name}/{NAME}", SecretString="first")
    store = renamed(make(client), name)
    if not by_hand:
        store.put_pending(NAME, 1, "first")
        store.promote(NAME, 1)
    for step in before:
        step(store)
    return client


def renamed(store: SecretStore, name: str) -> SecretStore:
    store._prefix = name  # type: ignore[attr-defined]
    return store


def state(store: SecretStore) -> dict[Stage, tuple[int, str]]:
    return {one.stage: (one.version, store.read(NAME, one.stage)) for one in store.describe(NAME)}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", MAKERS)
def test_killed_at_any_call_and_made_again(kind: str, step: str, by_hand: bool) -> None:
    service, make = MAKERS[kind]
    before, act = STEPS[step]
    whole = Deadly(fresh(service, make, "whole", before, by_hand), 0, False)
    act(renamed(make(whole), "whole"))
    wanted = state(renamed(make(whole), "whole"))
    assert whole.writes > 0
    for at in range(1, whole.writes + 1):
        for after in (False, True):
            name = f"killed-{at}-{after}"
            client = fresh(service, make, name, before, by_hand)
            working = state(renamed(make(client), name))[Stage.CURRENT]
            with pytest.raises(Killed):
                act(renamed(make(Deadly(client, at, after)), name))
            halfway = state(renamed(make(client), name))
            assert working in halfway.values()
            act(renamed(make(client), name))
            assert state(renamed(make(client), name)) == wanted
