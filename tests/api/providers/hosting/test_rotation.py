"""A secret of the platform is rotated where processes know their variables from their start alone: production
is deployed anew for each change, once, however often the rotation is killed, and says which deploy runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api import rotating
from api.core.clock import system_clock
from api.core.crypto import Vault, fingerprint
from api.core.errors import Rejected
from api.core.rotation import readers
from api.core.rotation.cadence import PLATFORM_KINDS
from api.core.rotation.steps import Mode, State, Step
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded.cluster import Cluster
from api.providers.hosting.consumers import Redeployed
from api.providers.secret_stores.variables import HeldStore
from api.rotating import Rotations
from api.settings import load
from api.settings.rings import WEBHOOK
from tests.api.providers.hosting.killing import Killed, killed_after
from tests.api.providers.hosting.worlds import WORLDS, World, world
from tests.api.providers.secret_stores.test_contract import PLATFORMS, with_platform
from tests.platforms.fake import TOKEN, FakePlatform, on_loopback
from tests.platforms.secrets_manager import CURRENT, PENDING, PREVIOUS
from tests.product import new_database, vault

__all__ = ["vault"]

FIRST = "the first webhook secret, long enough"


@dataclass
class Production:
    """What the platform runs says in the database which versions it runs with, as every process does."""

    engine: Engine
    starts: int = 0
    variables: Mapping[str, str] = field(default_factory=dict[str, str])

    def start(self, variables: Mapping[str, str], _release: str) -> None:
        self.starts, self.variables = self.starts + 1, variables
        ring = [variables.get(f"{WEBHOOK}{stage}", "") for stage in ("", "_PREVIOUS", "_PENDING")]
        versions = [fingerprint(value) for value in dict.fromkeys(ring) if value]
        with Session(self.engine) as session, session.begin():
            readers.forget(session, "p")
            kinds = dict(PLATFORM_KINDS)
            readers.note(session, "p", "api", {WEBHOOK: versions}, kinds, datetime.now(UTC))

    def still_runs(self) -> None:
        self.start(self.variables, "")
        self.starts -= 1


@pytest.fixture
def engine(cluster: Cluster) -> Iterator[Engine]:
    made = make_engine(new_database(cluster), pool_size=5)
    yield made
    made.dispose()


@contextmanager
def rotating_on(
    name: str,
    engine: Engine,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
    others: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[tuple[World, Production, Rotations]]:
    with world(name) as at:
        production = Production(engine)

        def start(variables: Mapping[str, str], release: str) -> None:
            at.staging.start(variables, release)
            production.start(variables, release)

        at.fake.on_live = start
        settings = load()
        if name == "ecs":
            where = f"firstuser/test/{WEBHOOK}"
            at.fake.manager.by_hand(where, FIRST)
            at.fake.references = {
                f"{WEBHOOK}{stage}": at.fake.manager.reference(where, label)
                for stage, label in (("", CURRENT), ("_PREVIOUS", PREVIOUS), ("_PENDING", PENDING))
            }
            keys = {"access_key_id": TOKEN, "secret_access_key": SecretStr("x"), "region": "eu-central-1"}
            settings = replace(settings, store=settings.store.model_copy(update=keys))
        else:
            at.fake.variables[WEBHOOK] = FIRST
        at.fake.push("1.2")
        for one, service in others.items():
            at.hosting._others = {**at.hosting._others, one: service}
        aws = (FakePlatform, "aws_endpoint_url", {"secrets_prefix": "firstuser/test"})
        _, url, credentials = PLATFORMS.get(name, aws)
        settings = with_platform(settings, {url: at.fake.url, "secret_stores": name} | credentials)
        monkeypatch.setattr(rotating, "consumers", lambda _: Redeployed(lambda: at.hosting, 20))
        made: Any = rotating.rotations(
            replace(settings, service=settings.service.model_copy(update={"data_key": SecretStr("")})),
            engine,
            lambda: session_scope(engine),
            vault,
            SimpleNamespace(),  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            system_clock,
        )
        yield at, production, made


@pytest.mark.parametrize("name", PLATFORMS)
def test_production_is_deployed_anew_for_each_change(
    name: str, engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rotating_on(name, engine, vault, monkeypatch) as (at, production, made):
        before = production.starts
        grace = timedelta(hours=1)
        found = made.rotate(
            WEBHOOK, mode=Mode.ASKED, by="test", shown=False, grace=grace, forced=True
        ).rotation
        assert found.step is Step.RETIRE and not found.problem, found.problem
        assert production.starts == before + 2, "accepted, then preferred"
        value = production.variables[WEBHOOK]
        assert value != FIRST and production.variables[f"{WEBHOOK}_PREVIOUS"] == FIRST
        (runs,) = [one["observed"] for one in found.proofs if one["name"] == "every process runs it"]
        live = at.hosting.served("production").deploy_id
        assert live and f"production runs {live}" in runs
        ended = made.end_overlap(found.id, "test")
        assert ended.state is State.DONE and production.starts == before + 3
        assert production.variables[WEBHOOK] == value and not production.variables.get(f"{WEBHOOK}_PREVIOUS")
        assert value not in str(ended.proofs)


def test_on_ecs_secrets_are_injected_from_their_labels_and_the_old_one_ends_with_the_last_deploy(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets Manager and ECS together: each deploy starts with what the labels stand at by then."""
    with rotating_on("ecs", engine, vault, monkeypatch) as (at, production, made):
        before, ring = production.starts, (WEBHOOK, f"{WEBHOOK}_PREVIOUS", f"{WEBHOOK}_PENDING")
        assert {production.variables[one] for one in ring} == {FIRST}
        grace = timedelta(hours=1)
        found = made.rotate(
            WEBHOOK, mode=Mode.ASKED, by="test", shown=False, grace=grace, forced=True
        ).rotation
        assert found.step is Step.RETIRE and not found.problem, found.problem
        assert production.starts == before + 2, "accepted, then preferred"
        value = production.variables[WEBHOOK]
        assert value != FIRST and production.variables[f"{WEBHOOK}_PREVIOUS"] == FIRST
        assert made.end_overlap(found.id, "test").state is State.DONE
        assert {production.variables[one] for one in ring} == {value}
        assert value not in str(at.fake.definitions), "task definitions refer, and hold nothing"


def test_on_ecs_a_label_that_is_on_no_version_starts_no_task(
    engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why labels are moved and never taken away."""
    with rotating_on("ecs", engine, vault, monkeypatch) as (at, production, _):
        (secret,) = at.fake.manager.secrets.values()
        del secret.labels[PENDING]
        before = production.starts
        with pytest.raises(Rejected, match="failed"):
            at.hosting.wait_live("production", at.hosting.redeploy("production", "rot-1"), 20)
        assert production.starts == before


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_service_that_holds_it_gets_it_and_is_deployed_anew(
    name: str, engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has it by hand, and a watcher that has not."""
    make, service = WORLDS[name]
    with on_loopback(make()) as worker, on_loopback(make()) as watcher:
        worker.variables |= {WEBHOOK: FIRST}
        for one in (worker, watcher):
            one.push("1.0")
        others = {"worker": service(worker), "watcher": service(watcher)}
        stores = [HeldStore(one._api, f"{name}, {which}") for which, one in others.items()]
        known = rotating.secret_stores
        monkeypatch.setattr(rotating, "secret_stores", lambda settings: [*known(settings), *stores])
        ran: list[str] = []
        worker.on_live = lambda variables, _: ran.append(variables.get(WEBHOOK, ""))
        watcher.on_live = lambda _variables, _release: pytest.fail("it has none of it")
        with rotating_on(name, engine, vault, monkeypatch, others) as (_, production, made):
            grace = timedelta(hours=1)
            found = made.rotate(
                WEBHOOK, mode=Mode.ASKED, by="test", shown=False, grace=grace, forced=True
            ).rotation
            assert found.step is Step.RETIRE and not found.problem, found.problem
            assert made.end_overlap(found.id, "test").state is State.DONE
            value = production.variables[WEBHOOK]
            assert ran == [FIRST, value, value], "accepted, preferred, alone"
            assert worker.variables[WEBHOOK] == value and not worker.variables.get(f"{WEBHOOK}_PREVIOUS")
            assert WEBHOOK not in watcher.variables


@pytest.mark.parametrize("name", PLATFORMS)
def test_killed_it_goes_on_with_the_deploy_that_was_begun(
    name: str, engine: Engine, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rotating_on(name, engine, vault, monkeypatch) as (_, production, made):
        turn, killed = 2, True
        while killed:
            production.still_runs()
            before, held = production.starts, production.variables[WEBHOOK]
            grace = timedelta(hours=1)
            try:
                with killed_after(turn):
                    killed = True
                    made.rotate(WEBHOOK, mode=Mode.ASKED, by="t", shown=False, grace=grace, forced=True)
                    killed = False
            except Killed:
                pass
            running = made.running(WEBHOOK)
            assert running is not None
            (found,) = made.machine.finish(WEBHOOK) if killed else [running]
            assert found.step is Step.RETIRE and not found.problem, (turn, found.problem)
            assert production.starts == before + 2, f"killed after request {turn}: deployed too often"
            assert made.end_overlap(found.id, "t").state is State.DONE
            assert production.variables[WEBHOOK] != held
            turn += 9
        assert turn > 12
