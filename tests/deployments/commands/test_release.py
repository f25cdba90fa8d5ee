"""`firstuser release`: what was deployed is listed and gone back to; a deploy that does not serve says so."""

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from api.core import audit
from api.core.errors import FirstUserError, Refused
from api.providers.hosting import hosting_provider, releases
from api.providers.hosting.local import LocalHosting
from api.providers.hosting.platform import PlatformHosting
from deployments.commands import release
from flows import preflight_looks
from tests.api.providers.hosting.worlds import world
from tests.flows.preflight_world import Face, facing
from tests.managed.rows import settings_from
from tests.platforms.fake import TOKEN
from tests.platforms.render import SERVICE


@pytest.fixture
def service() -> Iterator[Face]:
    with facing() as face:
        yield face


@pytest.fixture(autouse=True)
def hosting(tmp_path: Path, session: Session, service: Face, monkeypatch: pytest.MonkeyPatch) -> LocalHosting:
    """Restarted, a service answers as what it was deployed with."""

    def restart(part: str) -> None:
        found = releases.environment(tmp_path, part.removeprefix("api-"))
        said = {"deploy_id": found["FIRSTUSER_DEPLOY_ID"], "checks": {}}
        service.says("/api/readyz?verbose", 500 if "-broken" in found["FIRSTUSER_RELEASE"] else 200, said)

    made = LocalHosting(tmp_path, dict.fromkeys(("production", "staging"), service.url), restart)
    monkeypatch.setattr(release, "open_service", lambda: None)
    monkeypatch.setattr(release.wiring, "hosting", lambda: made)
    monkeypatch.setattr(release.wiring, "transaction", lambda: nullcontext(session))
    return made


def run(*words: str) -> Any:
    done = CliRunner().invoke(release.app, [*words, "--json"])
    if isinstance(done.exception, FirstUserError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def names(service: str) -> list[str]:
    return [one["release"] for one in run("list", service)["deploys"][service]]


def test_deployed_listed_and_gone_back_to(session: Session) -> None:
    assert names("staging") == ["dev"]
    first = run("deploy", "staging", "1.1", "--set", "FIRSTUSER_LIVE_TTL_SECONDS=60", "--by", "Ada")
    assert first == {"service": "staging", "release": "1.1", "deploy": first["deploy"]}
    assert run("list")["serving"] == dict.fromkeys(("production", "staging"), first["deploy"])
    run("deploy", "staging", "1.2")
    back = run("rollback", "staging", "--by", "Grace")
    assert back["release"] == "1.1" and names("staging") == ["1.1", "1.2", "1.1", "dev"]
    assert names("production") == ["dev"]
    assert audit.newest(session, first["deploy"], "releases.deploy", 1)[0].actor == "Ada"
    assert audit.newest(session, back["deploy"], "releases.rollback", 1)[0].actor == "Grace"
    shown = CliRunner().invoke(release.app, ["list"]).stdout
    assert "serves" in shown and "1.2" in shown
    alone = CliRunner().invoke(release.app, ["deploy", "production", "1.2"])
    assert (alone.exit_code, alone.stderr) == (0, ""), "one stack is deployed as a whole"


def test_a_deploy_that_does_not_serve_says_how_to_go_back() -> None:
    words = ["deploy", "staging", "1.1-broken", "--timeout", "1"]
    done = CliRunner().invoke(release.app, words)
    assert done.exit_code == release.NOT_GOOD and "firstuser release rollback staging" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["staging", "1 1"], "no release's name"),
        (["staging", "1.1", "--set", "FIRSTUSER_LIVE"], "no setting of ours"),
        (["staging", "1.1", "--set", "PATH=/tmp"], "no setting of ours"),
        (["staging", "1.1", "--set", "SESSION_SECRET=x"], "holds a secret"),
        (["staging", "1.1", "--set", "DATABASE_URL=postgresql://a:b@h/d"], "holds a secret"),
    ],
)
def test_what_cannot_be_deployed(words: list[str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        run("deploy", *words)
    assert names("staging") == ["dev"]


def test_by_settings_alone_a_platform_is_told_the_same(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0c9e000710c9e000710c9e000710c9e000710c9e"
    with world("render") as there:
        given = {
            "FIRSTUSER_HOSTING_PROVIDER": "render",
            "FIRSTUSER_RENDER_URL": there.fake.url,
            "RENDER_API_KEY": TOKEN,
            "FIRSTUSER_PRODUCTION_SERVICES": f"{SERVICE},srv-dispatcher,srv-worker",
            "PUBLIC_APP_URL": there.staging.url,
        }
        settings = settings_from(given, tmp_path)
        found = hosting_provider(settings)
        assert isinstance(found, PlatformHosting)
        found._pause_s = 0
        monkeypatch.setattr(release.wiring, "hosting", lambda: found)
        monkeypatch.setattr(release.wiring, "settings", lambda: settings)
        done = CliRunner().invoke(release.app, ["deploy", "production", commit, "--by", "Ada", "--json"])
        assert "The API alone. As they were: srv-dispatcher, srv-worker." in done.stderr
        made = json.loads(done.stdout)
        shown = run("list")
        assert shown["serving"] == {"production": made["deploy"]}, "staging is not configured"
        assert [one["release"] for one in shown["deploys"]["production"]] == [commit, "1.1", "1.0"]
        assert run("rollback", "production")["release"] == "1.1"
        with pytest.raises(Refused, match="not configured"):
            run("list", "staging")
    assert audit.newest(session, made["deploy"], "releases.deploy", 1)[0].actor == "Ada"


def test_nothing_before_the_first_release() -> None:
    with pytest.raises(Refused, match="no earlier release"):
        run("rollback", "production")


def test_a_preflight_reads_what_production_was_deployed_with() -> None:
    """Otherwise a GO would be about a release that does not serve."""
    before = preflight_looks.fresh_settings()
    run("deploy", "production", "1.1", "--set", "FIRSTUSER_LIVE_TTL_SECONDS=61")
    now = preflight_looks.fresh_settings().service
    assert (now.release, now.live_ttl_seconds) == ("1.1", 61)
    run("rollback", "production")
    assert preflight_looks.fresh_settings() == before
