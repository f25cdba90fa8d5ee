"""`firstuser migrate`: what a platform runs before a release, whichever way it goes."""

import pytest
import typer

from api.db import migrate
from api.db.engine import make_engine
from api.providers.databases.embedded.cluster import Cluster
from deployments import serve
from deployments.commands import deploy
from deployments.commands import serve as serve_commands
from tests.product import new_database

NAMES = ("FIRSTUSER_RESTORED_DATABASE_URL", "FIRSTUSER_RESTORED_COPY", "FIRSTUSER_OWNER_DATABASE_URL")
BEFORE = "0011_accounted"


@pytest.fixture
def behind(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database at an earlier revision, which DATABASE_URL names."""
    url = new_database(cluster)
    migrate.downgrade(url, BEFORE)
    monkeypatch.setenv("DATABASE_URL", url)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return url


def stands(url: str) -> str | None:
    engine = make_engine(url)
    try:
        return migrate.current(engine)
    finally:
        engine.dispose()


def test_it_brings_the_database_to_the_releases_schema(
    behind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy.migrate()
    assert (stands(behind), capsys.readouterr().out) == (migrate.head(), f"{BEFORE} → {migrate.head()}\n")


def test_what_a_newer_release_has_migrated_stays(
    behind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(migrate, "head", lambda: "0001_older")  # of the release that is gone back to
    deploy.migrate()
    assert (stands(behind), BEFORE in capsys.readouterr().out) == (BEFORE, True)


def test_a_restored_copy_stays_and_the_owners_address_leads_home(
    behind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FIRSTUSER_RESTORED_DATABASE_URL", behind)
    monkeypatch.setenv("FIRSTUSER_RESTORED_COPY", "drill-1")
    deploy.migrate()
    assert (stands(behind), "drill-1 stays" in capsys.readouterr().out) == (BEFORE, True)
    monkeypatch.setenv("FIRSTUSER_OWNER_DATABASE_URL", behind)
    deploy.migrate()
    assert stands(behind) == migrate.head()


def test_an_api_that_is_told_to_migrates_before_it_serves(
    behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[str | None] = []
    monkeypatch.setattr(serve, "serve", lambda _host, _port: found.append(stands(behind)))  # pyright: ignore
    serve_commands.api(migrate=False)
    serve_commands.api(migrate=True)
    assert found == [BEFORE, migrate.head()]
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(typer.Exit) as error:
        serve_commands.api(migrate=True)
    assert error.value.exit_code != 0 and len(found) == 2, "it does not serve an old schema"
