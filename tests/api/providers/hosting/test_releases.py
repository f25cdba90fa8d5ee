"""Releases of a local service: going back serves what served before, once, never past a one-way migration."""

import json
from pathlib import Path

import pytest

from api.core.errors import Conflict, NotFound, Refused
from api.core.ports import ReleaseKeeper
from api.providers.hosting import releases
from api.providers.hosting.local import LocalHosting

NOBODY = {"production": "http://127.0.0.1:9", "staging": "http://127.0.0.1:9"}


def test_a_service_that_was_never_deployed_serves_with_its_own_configuration(tmp_path: Path) -> None:
    assert releases.environment(tmp_path, "production") == {}
    with pytest.raises(Refused, match="no earlier release"):
        releases.back(tmp_path, "production")


def test_going_back_serves_what_served_before_and_only_once(tmp_path: Path) -> None:
    restarted: list[str] = []
    hosting = LocalHosting(tmp_path, NOBODY, restarted.append)
    assert isinstance(hosting, ReleaseKeeper)
    first = hosting.deploy("production", "1.0", {"FIRSTUSER_LIVE_TTL_SECONDS": "60"})
    hosting.deploy("production", "2.0", {"FIRSTUSER_LIVE_TTL_SECONDS": "5"})
    assert releases.environment(tmp_path, "production")["FIRSTUSER_LIVE_TTL_SECONDS"] == "5"
    back = hosting.roll_back("production")
    serves = releases.environment(tmp_path, "production")
    assert (serves["FIRSTUSER_RELEASE"], serves["FIRSTUSER_DEPLOY_ID"]) == ("1.0", back)
    assert serves["FIRSTUSER_LIVE_TTL_SECONDS"] == "60"
    assert hosting.roll_back("production") == back == hosting.roll_back("production", first)
    assert [one.release for one in hosting.deploys("production")] == ["dev", "1.0", "2.0", "1.0"]
    assert set(restarted) == {"api-production"}


def test_the_first_release_goes_back_to_the_services_own_configuration(tmp_path: Path) -> None:
    releases.add(tmp_path, "staging", "2.0", {"DATABASE_URL": "postgresql://other@h/d"})
    made = releases.back(tmp_path, "staging")
    assert made.of == releases.HOME and "DATABASE_URL" not in releases.environment(tmp_path, "staging")


def test_an_irreversible_migration_is_not_gone_back_over(tmp_path: Path) -> None:
    first = releases.add(tmp_path, "production", "1.0", {})
    releases.add(tmp_path, "production", "2.0", {}, irreversible=True)
    with pytest.raises(Refused, match="cannot be taken back"):
        releases.back(tmp_path, "production")
    releases.add(tmp_path, "production", "3.0", {})
    with pytest.raises(Refused, match=r"2\.0 carries"):
        releases.back(tmp_path, "production", first.id)
    assert releases.back(tmp_path, "production").release == "2.0"


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds a secret"):
        releases.add(tmp_path, "production", "2.0", {"SESSION_SECRET": "x"})
    with pytest.raises(NotFound):
        releases.read(tmp_path, "elsewhere")
    (tmp_path / "releases").mkdir()
    (tmp_path / "releases" / "production.json").write_text(json.dumps([{"id": "x"}]))
    with pytest.raises(Conflict, match="Delete it"):
        releases.read(tmp_path, "production")
