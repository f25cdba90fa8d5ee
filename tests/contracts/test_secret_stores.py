"""Render, Railway and Fly: what the stores ask and what the fakes answer is as the vendors describe it."""

import json
from pathlib import Path

import httpx
import pytest
from graphql import GraphQLError, build_schema, parse, validate
from graphql.execution.values import get_variable_values
from graphql.language import OperationDefinitionNode
from graphql.type import GraphQLSchema
from openapi_core.exceptions import OpenAPIError

from api.core.errors import Rejected
from api.providers.platforms.fly import Fly
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from api.providers.secret_stores.variables import Variables, VariableStore
from tests.contracts.vendor import specs, vendor
from tests.platforms.fake import TOKEN, FakePlatform, lost, on_loopback, too_many
from tests.platforms.fly import APP, FakeFly
from tests.platforms.railway import PLACE, FakeRailway
from tests.platforms.render import SERVICE, FakeRender

NAME = "SESSION_SECRET"
DESCRIBED = {"render": "https://api.render.com", "fly": "https://api.machines.dev"}


def story(variables: Variables, platform: FakePlatform) -> None:
    """A rotation and its way back, with troubles on the way."""
    store = VariableStore(variables)
    store.put_pending(NAME, 1, "first")
    store.promote(NAME, 1)
    platform.troubles = [too_many(Retry_After="0"), lost("PUT")]
    store.put_pending(NAME, 2, "second")
    store.promote(NAME, 2)
    store.promote(NAME, 1)
    store.retire(NAME, 2)
    platform.token = "expired"
    with pytest.raises(Rejected):
        store.describe(NAME)


@pytest.mark.parametrize("name", DESCRIBED)
def test_requests_and_answers_are_as_described(name: str) -> None:
    description = vendor(name)
    platform = FakeRender() if name == "render" else FakeFly()
    with on_loopback(platform):
        story(
            Render(platform.url, TOKEN, SERVICE) if name == "render" else Fly(platform.url, TOKEN, APP),
            platform,
        )
    methods = {request.method for request in platform.asked}
    assert methods == ({"GET", "PUT", "DELETE"} if name == "render" else {"GET", "POST", "DELETE"})
    for request, response in zip(platform.asked, platform.given, strict=True):
        undescribed = name == "fly" and response is not None and response.status_code in {401, 429}
        answer = httpx.Response(204) if response is None or undescribed else response
        description.check(at(name, request), answer)


def at(name: str, request: httpx.Request) -> httpx.Request:
    """As if it had been sent to the vendor."""
    url = f"{DESCRIBED[name]}{request.url.raw_path.decode()}"
    return httpx.Request(request.method, url, headers=request.headers, content=request.content)


def test_the_comparison_finds_a_misspelt_field() -> None:
    description = vendor("render")
    url = f"{DESCRIBED['render']}/v1/services/{SERVICE}/env-vars/{NAME}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.Response(200, json={"key": NAME, "value": "x"})
    description.check(httpx.Request("PUT", url, headers=headers, json={"value": "x"}), answer)
    with pytest.raises(OpenAPIError):
        description.check(httpx.Request("PUT", url, headers=headers, json={"val": "x"}), answer)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((specs() / "railway.graphql").read_text())


def problems(schema: GraphQLSchema, request: httpx.Request) -> list[GraphQLError]:
    body = json.loads(request.content)
    document = parse(body["query"])
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    given = get_variable_values(schema, operation.variable_definitions or (), body["variables"])
    return [*validate(schema, document), *(given if isinstance(given, list) else [])]


def test_railway_is_asked_in_its_own_terms(schema: GraphQLSchema) -> None:
    with on_loopback(FakeRailway()) as platform:
        story(Railway(platform.url, token_header(TOKEN, None), PLACE), platform)
    assert len(platform.asked) > 8
    for request in platform.asked:
        assert problems(schema, request) == []
    body = json.loads(platform.asked[1].content)
    body["variables"]["input"]["skipDeploy"] = True
    assert problems(schema, httpx.Request("POST", platform.url, json=body))
    body["query"] = body["query"].replace("(input: $input)", "(inputs: $input)")
    assert problems(schema, httpx.Request("POST", platform.url, json=body))


def test_the_platforms_addresses_are_the_described_ones() -> None:
    from api.settings import PlatformsSettings

    defaults = {name: field.default for name, field in PlatformsSettings.model_fields.items()}
    for name in DESCRIBED:
        document = json.loads((specs() / f"{name}.json").read_text())
        assert document["servers"][0]["url"] == defaults[f"{name}_url"]


def test_specs_are_skipped_and_not_invented(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="not beside this checkout"):
        specs(tmp_path / "tests")
