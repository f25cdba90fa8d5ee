"""`firstuser reencrypt`: counts, moves, proves, and leaves evidence; exit code 1 while something waits."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from typer import Typer
from typer.testing import CliRunner

from api.core.crypto import Vault, data_keys
from api.core.evidence import service as evidence
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from deployments.commands import reencrypt
from tests.api.core.places import new_place
from tests.product import DATA_KEY, new_database

NEW_KEY = "c2VlIHRoaXMgaXMgdGhlIG5leHQgMzIgYnl0ZSBrZXk="
Ring = Callable[[str, str | None], None]


@pytest.fixture
def ring(cluster: Cluster, cluster_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Ring:
    """Sets the data key and the previous one of the settings that the command reads."""
    scope = partial(session_scope, make_engine(new_database(cluster)))
    wiring = reencrypt.reencryption.wiring
    monkeypatch.setattr(reencrypt, "open_service", lambda: None)
    monkeypatch.setattr(wiring, "transaction", scope)
    with scope() as session:
        new_place(session, Vault(data_keys(DATA_KEY)))

    def settings(current: str, previous: str | None) -> None:
        keys = {
            "data_key": SecretStr(current),
            "data_key_previous": SecretStr(previous) if previous else None,
        }
        service = cluster_settings.service.model_copy(update=keys)
        monkeypatch.setattr(wiring, "settings", lambda: replace(cluster_settings, service=service))

    return settings


def run(*words: str) -> tuple[int, Any]:
    app = Typer()
    reencrypt.register(app)
    done = CliRunner().invoke(app, [*words, "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_check_move_and_prove(ring: Ring) -> None:
    ring(NEW_KEY, DATA_KEY)
    assert run("--check")[0] == 1
    code, said = run()
    assert (code, said["complete"], said["moved"], said["failed"]) == (0, True, 1, [])
    assert said["opened_with_current_key_alone"] == said["sampled"] == 1
    ring(NEW_KEY, None)
    assert run("--check") == (0, {t: {"rows": r, "waiting": 0} for t, r in rows(said).items()})
    with reencrypt.reencryption.wiring.transaction() as session:
        (record,) = evidence.records(session, reencrypt.reencryption.EVIDENCE_STREAM)
        assert (record.kind, record.body["moved"]) == ("reencryption", 1)
        assert DATA_KEY not in json.dumps(record.body)


def rows(said: dict[str, Any]) -> dict[str, int]:
    return {one["table"]: one["rows"] for one in said["tables"]}


def test_without_the_previous_key_it_says_what_it_cannot_read(ring: Ring) -> None:
    ring(NEW_KEY, None)
    code, said = run()
    with reencrypt.reencryption.wiring.transaction() as session:
        founder = session.execute(text("select id from founders")).scalar_one()
    assert (code, said["complete"], said["unreadable"]) == (1, False, [f"founders {founder}"])
