"""Managed databases: what the adapters ask and what the fakes answer is as the vendors describe it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import build_schema, execute, parse
from graphql.type import GraphQLSchema
from openapi_core.exceptions import OpenAPIError

from api.core.errors import FirstUserError, Rejected
from api.core.ports import DatabaseProvider, RestoreTarget
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.passwords import read_passwords
from api.providers.databases.managed import addresses
from api.providers.databases.registry import database_provider
from api.settings import DatabasesSettings, PlatformsSettings
from tests.contracts.test_secret_stores import problems
from tests.contracts.vendor import specs, vendor
from tests.managed.places import Lent
from tests.managed.rows import ROWS, environment, settings_from
from tests.managed.vendor import FakeVendor
from tests.platforms.fake import broken, on_loopback, too_many

NAME = "drill-0a1b2c"
DESCRIBED = {
    "neon": "https://console.neon.tech",
    "supabase": "https://api.supabase.com",
    "render": "https://api.render.com",
}


def story(provider: DatabaseProvider, fake: FakeVendor) -> None:
    """A drill's calls, with a failed copy, troubles and an expired token on the way."""
    now = datetime.now(UTC)

    def restored() -> None:
        plan = provider.locate(RestoreTarget(now - timedelta(seconds=20)))
        handle = provider.restore(plan, NAME, now + timedelta(hours=1), lambda _progress: None)
        provider.wait(handle, lambda _progress: None)
        provider.dsn(handle, "app")
        provider.verify(handle)

    provider.restore_points()
    provider.backup_policy()
    fake.troubles = [too_many(Retry_After="0"), broken(503)]
    fake.broken = True
    with pytest.raises(Rejected):
        restored()
    provider.destroy(provider.orphans(now)[0])
    fake.broken = False
    fake.lose_the_next_write()
    restored()
    provider.destroy(provider.orphans(now)[0])
    fake.token = "expired"
    with pytest.raises(FirstUserError):
        provider.backup_policy()


@pytest.fixture
def played(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Iterator[FakeVendor]:
    name: str = request.param
    port = cluster.running_port
    assert port is not None
    fake = ROWS[name].fake(Lent(port), read_passwords(cluster.home.pgpass))
    with on_loopback(fake):
        url = cluster.dsn("admin").replace("127.0.0.1", "localhost")
        app = addresses.with_login(url, "shop_a", "never asked for")
        given = {"DATABASE_URL": app, **environment(name, fake, url, poll_s=0.01)}
        story(database_provider(settings_from(given, tmp_path)), fake)
        yield fake


@pytest.mark.parametrize(("name", "played"), [(name, name) for name in DESCRIBED], indirect=["played"])
def test_requests_and_answers_are_as_described(name: str, played: FakeVendor) -> None:
    description = vendor(name)
    assert {request.method for request in played.asked} == {"GET", "POST", "DELETE"}
    for request, response in zip(played.asked, played.given, strict=True):
        description.check(at(name, request), response or httpx.Response(204))


def at(name: str, request: httpx.Request) -> httpx.Request:
    """As if it had been sent to the vendor."""
    url = f"{DESCRIBED[name]}{request.url.raw_path.decode()}"
    return httpx.Request(request.method, url, headers=request.headers, content=request.content)


@pytest.mark.parametrize(("name", "played"), [(name, name) for name in DESCRIBED], indirect=["played"])
def test_the_comparison_finds_a_misspelt_field(name: str, played: FakeVendor) -> None:
    description = vendor(name)
    number, written = next(
        (number, one) for number, one in enumerate(played.asked) if one.method == "POST" and one.content
    )
    body = json.loads(written.content) | {"restore_to": "now"}
    headers = {key: value for key, value in written.headers.items() if key != "content-length"}
    misspelt = httpx.Request("POST", at(name, written).url, headers=headers, json=body)
    with pytest.raises(OpenAPIError):
        description.check(misspelt, played.given[number] or httpx.Response(204))


@pytest.mark.parametrize("played", ["railway"], indirect=True)
def test_railway_is_asked_and_answers_in_its_own_terms(played: FakeVendor) -> None:
    schema = build_schema((specs() / "railway.graphql").read_text())
    asked = {json.loads(request.content)["query"].split("(")[0].split()[-1] for request in played.asked}
    assert asked >= {
        "services",
        "volumes",
        "restore",
        "proxies",
        "volumeDelete",
        "serviceDelete",
        "variables",
    }
    for request, response in zip(played.asked, played.given, strict=True):
        assert problems(schema, request) == []
        if response is not None and response.status_code == 200:
            assert_fits(schema, json.loads(request.content), response.json())
    body = json.loads(played.asked[-1].content)
    body["variables"]["projectIds"] = body["variables"].pop("projectId")
    assert problems(schema, httpx.Request("POST", played.url, json=body))


def assert_fits(schema: GraphQLSchema, asked: dict[str, Any], answer: dict[str, Any]) -> None:
    """The answer's data put through the schema: what is not of its type, or missing, is an error."""
    if "errors" in answer:
        return
    result = execute(
        schema, parse(asked["query"]), root_value=answer["data"], variable_values=asked["variables"]
    )
    assert result.errors is None
    assert result.data == answer["data"]


def test_the_vendors_addresses_are_the_described_ones() -> None:
    groups = (DatabasesSettings, PlatformsSettings)
    defaults = {key: field.default for group in groups for key, field in group.model_fields.items()}
    for name in DESCRIBED:
        document = json.loads((specs() / f"{name}.json").read_text())
        assert defaults[f"{name}_url"] == document["servers"][0]["url"]
