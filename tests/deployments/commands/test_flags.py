"""`firstuser flags`: what it sets it shows, and nothing is set without a reason."""

import json
from contextlib import nullcontext
from typing import Any

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.core.crypto import Vault
from api.core.errors import FirstUserError, NotFound, Refused
from deployments.commands import flags
from tests.api.core.places import Place, new_place


@pytest.fixture
def place(session: Session, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(flags, "open_service", lambda: None)
    monkeypatch.setattr(flags.wiring, "transaction", lambda: nullcontext(session))
    return new_place(session, vault)


def run(*words: str) -> Any:
    done = CliRunner().invoke(flags.app, [*words, "--json"])
    if isinstance(done.exception, FirstUserError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_set_list_clear_history(place: Place) -> None:
    asked = ("onboarding_paused", "on", "--scope", place.slug, "--reason", "too many")
    told = {"key": "onboarding_paused", "scope": place.space_id, "state": "on"}
    assert run("set", *asked) == {**told, "changed": True}
    assert run("set", *asked) == {**told, "changed": False}
    listed = {(one["key"], one["scope"]): one for one in run("list")["flags"]}
    assert listed["onboarding_paused", place.space_id]["changed_by"] == "cli"
    assert listed["integration_enabled", ""]["value"] is True
    cleared = run("clear", "onboarding_paused", "--scope", place.slug, "--reason", "enough room")
    assert cleared["changed"]
    (newest, *_) = run("history", "--limit", "5")["changes"]
    assert (newest["before"], newest["after"], newest["reason"]) == (True, None, "enough room")


@pytest.mark.usefixtures("place")
def test_the_tables_name_flags_scopes_and_reasons() -> None:
    run("set", "integration_enabled", "off", "--reason", "incident 7")
    for command in ("list", "history"):
        shown = CliRunner().invoke(flags.app, [command]).output
        assert "integration_enabled" in shown and "everywhere" in shown and "incident 7" in shown


@pytest.mark.usefixtures("place")
def test_refusals() -> None:
    with pytest.raises(Refused, match="needs a reason"):
        run("set", "onboarding_paused", "on", "--reason", " ")
    with pytest.raises(NotFound, match="no space 'nowhere'"):
        run("set", "onboarding_paused", "on", "--scope", "nowhere", "--reason", "x")
    assert CliRunner().invoke(flags.app, ["set", "telepathy", "on", "--reason", "x"]).exit_code == 2
