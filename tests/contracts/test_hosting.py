"""Hosting: what is asked of Render, Railway, Fly and AWS and what the fakes answer is as they describe it."""

import json
from collections.abc import Sequence
from typing import Any

import botocore.session
import httpx
import pytest
from botocore.validate import ParamValidator
from graphql import build_schema, graphql_sync
from openapi_core.exceptions import OpenAPIError

from api.core.errors import Rejected
from api.providers.hosting.pointing import OWN
from tests.api.providers.hosting.worlds import World, world
from tests.contracts.test_secret_stores import DESCRIBED, at, problems
from tests.contracts.vendor import specs, vendor
from tests.platforms.fake import too_many

LONG = 20.0
UNDESCRIBED = {"fly": {401, 409, 429}, "render": set[int]()}  # answers that the description knows nothing of


def story(one: World) -> Sequence[tuple[httpx.Request, httpx.Response]]:
    """A drill, a rotation, a rollback with its way forth, a named release, a failure, an expired token."""
    hosting = one.hosting
    hosting.check_access()
    hosting.variables("staging")
    one.fake.troubles = [too_many(Retry_After="0")]
    away = hosting.point("staging", "postgresql://a:b@copy/x", restored_copy="drill-1")
    hosting.wait_live("staging", away, LONG)
    hosting.wait_live("staging", hosting.point("staging", OWN), LONG)
    hosting.wait_live("production", hosting.redeploy("production", "rot-1"), LONG)
    home = hosting.deploys("staging")[-1].id
    hosting.wait_live("staging", hosting.roll_back("staging"), LONG)
    hosting.wait_live("staging", hosting.roll_back("staging", home), LONG)
    release = "0c9e00071" if one.name in {"render", "railway"} else "1.2"
    hosting.wait_live("production", hosting.deploy("production", release, {"FIRSTUSER_ENV": "x"}), LONG)
    one.fake.fails = 1
    with pytest.raises(Rejected):
        hosting.wait_live("production", hosting.redeploy("production", "rot-2"), LONG)
    one.fake.token = "expired"
    with pytest.raises(Rejected):
        hosting.redeploy("production", "rot-3")
    return list(zip(one.fake.asked, one.fake.given, strict=True))


@pytest.mark.parametrize("name", DESCRIBED)
def test_requests_and_answers_are_as_described(name: str) -> None:
    description = vendor(name)
    with world(name) as one:
        one.fake.queues = name == "render"
        exchanges = story(one)
    assert len(exchanges) > 50
    for request, response in exchanges:
        # The description takes exactly one kind of details, and those of any web service fit three.
        empty = response.status_code in UNDESCRIBED[name] or b"serviceDetails" in response.content
        description.check(at(name, request), httpx.Response(204) if empty else response)


def test_the_comparison_finds_a_misspelt_field() -> None:
    description = vendor("render")
    url = f"{DESCRIBED['render']}/v1/services/srv-1/deploys"
    headers = {"Authorization": "Bearer x"}
    answer = httpx.Response(201, json={"id": "dep-1"})
    description.check(httpx.Request("POST", url, headers=headers, json={"deployMode": "deploy_only"}), answer)
    with pytest.raises(OpenAPIError):
        description.check(httpx.Request("POST", url, headers=headers, json={"mode": "deploy_only"}), answer)


def test_railway_is_asked_and_answers_in_its_own_terms() -> None:
    schema = build_schema((specs() / "railway.graphql").read_text())
    with world("railway") as one:
        exchanges = story(one)
    for request, response in exchanges:
        assert problems(schema, request) == []
        body, answer = json.loads(request.content), response.json()
        if response.status_code == 200 and "errors" not in answer:
            again = graphql_sync(schema, body["query"], answer["data"], variable_values=body["variables"])
            assert (again.data, again.errors) == (answer["data"], None)


def test_aws_is_asked_and_answers_in_its_own_shapes() -> None:
    """botocore checks requests before it sends them; the fake's answers are held against the model here."""
    with world("ecs") as one:
        exchanges = story(one)
    session, asked = botocore.session.get_session(), set[str]()
    for request, response in exchanges:
        target, _, operation = request.headers["x-amz-target"].partition(".")
        asked.add(operation)
        if response.status_code != 200:
            continue
        model = session.get_service_model("ssm" if "SSM" in target else "ecs")
        shape: Any = model.operation_model(operation).output_shape
        report = ParamValidator().validate(response.json(), shape)
        assert not report.has_errors(), report.generate_report()
        assert response.json().keys() <= shape.members.keys()
    assert {"RegisterTaskDefinition", "UpdateService", "PutParameter", "DeleteParameters"} <= asked
