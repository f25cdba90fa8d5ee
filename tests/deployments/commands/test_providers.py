"""`firstuser providers check` says what every vendor lets us do, changes nothing and shows no secret."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from deployments.commands import providers
from tests.platforms.cloudflare import ZONE, FakeCloudflare
from tests.platforms.fake import TOKEN, on_loopback
from tests.platforms.render import SERVICE, FakeRender


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeRender, FakeCloudflare]]:
    with on_loopback(FakeRender()) as render, on_loopback(FakeCloudflare()) as edge:
        render.push("1.0")
        given = {
            "FIRSTUSER_HOSTING_PROVIDER": "render",
            "FIRSTUSER_SECRET_STORES": "render",
            "FIRSTUSER_RENDER_URL": render.url,
            "RENDER_API_KEY": TOKEN,
            "RENDER_SERVICE_ID": SERVICE,
            "RENDER_STAGING_SERVICE_ID": SERVICE,
            "FIRSTUSER_CLOUDFLARE_URL": f"{edge.url}/",
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ZONE_ID": ZONE,
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(providers, "out", Console(width=300))
        yield render, edge


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(providers.app, ["check", *words])
    return found.exit_code, found.output


def permissions(said: str) -> dict[tuple[str, str], Any]:
    found = json.loads(said)["vendors"]
    return {(one["area"], may["what"]): may["ok"] for one in found for may in one["permissions"]}


def test_what_is_allowed_and_what_nobody_can_know(vendors: tuple[FakeRender, FakeCloudflare]) -> None:
    code, said = run("--json")
    found = permissions(said)
    assert code == 0
    assert found["hosting", "staging: read deploys"] is True
    assert found["hosting", "production: write variables, deploy, roll back"] is None
    assert found["secrets", "look up SESSION_SECRET"] is True
    assert found["edge", "the token is active"] is True
    for fake in vendors:
        assert {request.method for request in fake.asked} == {"GET"}
    code, said = run()
    assert code == 0 and "read deploys" in said and TOKEN not in said


def test_an_expired_key_is_named_with_what_to_do(vendors: tuple[FakeRender, FakeCloudflare]) -> None:
    vendors[0].token = "another"
    code, said = run()
    assert code == 1 and "✗" in said and "Check the token" in said and TOKEN not in said
    code, said = run("--json")
    assert code == 1 and permissions(said)["edge", "read the zone"] is True


def test_what_is_not_set_is_a_finding(
    vendors: tuple[FakeRender, FakeCloudflare], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RENDER_API_KEY")
    code, said = run()
    assert code == 1 and "RENDER_API_KEY is not set" in said
