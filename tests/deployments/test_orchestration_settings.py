"""Work pools by type, and what a Prefect server, its workers and their runs are told."""

import json
import shlex
from pathlib import Path
from typing import Any

import boto3
import prefect.server.api
import pytest
from moto import mock_aws
from prefect.utilities.templating import apply_values
from pydantic import SecretStr, ValidationError

from api.core.errors import Refused
from api.settings import DeploySettings, PlatformSettings, ServiceSettings, load
from deployments.orchestration.connection import prefect_environment
from deployments.orchestration.deploying import configured_pool
from deployments.orchestration.pools import Pool, job_template
from deployments.orchestration.server import asyncpg_url, server_environment

STOCK = Path(prefect.server.api.__file__).parent / "collections_data/views/aggregate-worker-metadata.json"
DOCKER = {"image": "registry/firstuser:1", "volumes": ["/etc/firstuser.env:/run/firstuser.env:ro"]}
ECS = {
    "task_definition_arn": "arn:aws:ecs:eu-central-1:1:task-definition/firstuser-run:7",
    "cluster": "firstuser",
}


def stock(kind: str) -> dict[str, Any]:
    """As a server hands it out."""
    for workers in json.loads(STOCK.read_text()).values():
        if kind in workers:
            return workers[kind]["default_base_job_configuration"]
    raise LookupError(kind)


@pytest.mark.parametrize(("kind", "defaults"), [("process", {}), ("docker", DOCKER), ("ecs", ECS)])
def test_runs_of_every_type_are_ours_with_the_defaults_of_the_settings(
    kind: Any, defaults: dict[str, Any]
) -> None:
    settings = DeploySettings(work_pool_type=kind, work_pool_defaults=json.dumps(defaults))
    variables = job_template(stock(kind), configured_pool(settings))["variables"]["properties"]
    assert variables["command"]["default"].endswith("-m deployments.orchestration.flow_run")
    assert {name: variables[name]["default"] for name in defaults} == defaults


def test_a_variable_that_the_type_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(Refused, match="know no imgae") as refused:
        job_template(stock("docker"), Pool("p", "docker", job_defaults={"imgae": "x"}))
    assert "image" in str(refused.value.fix)


@pytest.mark.parametrize(
    ("kind", "defaults", "where"),
    [
        ("docker", {"volumes": "/etc/firstuser.env:/run/firstuser.env:ro"}, "volumes"),
        ("docker", {"env": {"FIRSTUSER_ENV_FILE": 1}}, "env.FIRSTUSER_ENV_FILE"),
        ("ecs", {"cpu": "256"}, "cpu"),
        ("ecs", {"launch_type": "LAMBDA"}, "launch_type"),
    ],
)
def test_a_value_that_the_worker_would_not_take_is_refused(
    kind: Any, defaults: dict[str, Any], where: str
) -> None:
    with pytest.raises(Refused, match=f"do not take this {where}"):
        job_template(stock(kind), Pool("p", kind, job_defaults=defaults))


def rendered(kind: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    """The job of one run, as a worker of the type makes it of the template."""
    template = job_template(stock(kind), Pool("p", kind, job_defaults=defaults))
    known = template["variables"]["properties"]
    values = {name: one["default"] for name, one in known.items() if "default" in one}
    return apply_values(template["job_configuration"], values)


def test_aws_takes_a_run_of_the_stacks_task() -> None:
    """botocore judges the request, moto runs it: our command, in the task that refers to the secrets."""
    where = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]}}
    with mock_aws():
        ecs = boto3.client(
            "ecs", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        ecs.create_cluster(clusterName="firstuser")
        secret = {
            "name": "SESSION_SECRET",
            "valueFrom": "arn:aws:secretsmanager:eu-central-1:1:secret:x-AbCdEf",
        }
        container = {"name": "run", "image": "registry/firstuser:1", "memory": 512, "secrets": [secret]}
        made = ecs.register_task_definition(family="firstuser-run", containerDefinitions=[container])
        arn = made["taskDefinition"]["taskDefinitionArn"]
        given = {**ECS, "task_definition_arn": arn, "container_name": "run", "network_configuration": where}
        job = rendered("ecs", given)
        asked = job["task_run_request"]
        (override,) = asked["overrides"]["containerOverrides"]
        asked["overrides"]["containerOverrides"] = [{**override, "command": shlex.split(job["command"])}]
        (task,) = ecs.run_task(**asked, networkConfiguration=job["network_configuration"])["tasks"]
    assert task["taskDefinitionArn"] == arn
    (override,) = task["overrides"]["containerOverrides"]
    assert override["command"] == ["python", "-m", "deployments.orchestration.flow_run"]
    assert "environment" not in override, "the template brings no secret along"


def test_docker_gets_the_mounted_file_and_our_command() -> None:
    job = rendered("docker", {**DOCKER, "env": {"FIRSTUSER_ENV_FILE": "/run/firstuser.env"}})
    assert job["command"] == "python -m deployments.orchestration.flow_run"
    assert (job["image"], job["volumes"]) == (DOCKER["image"], DOCKER["volumes"])
    assert job["env"] == {"FIRSTUSER_ENV_FILE": "/run/firstuser.env"}
    assert job["privileged"] is False


@pytest.mark.parametrize("text", ["{", "[]", '"image"'])
def test_defaults_that_are_no_json_object_stop_a_start(text: str) -> None:
    with pytest.raises(ValidationError):
        DeploySettings(work_pool_defaults=text)


@pytest.mark.parametrize(
    ("url", "sslmode", "driver"),
    [
        ("postgres://u:p%40@db/prefect", "", "postgresql+asyncpg://u:p%40@db/prefect"),
        ("postgresql://u:p@db/prefect", "require", "postgresql+asyncpg://u:p@db/prefect?ssl=require"),
        ("postgresql://db/p?sslmode=verify-full", "require", "postgresql+asyncpg://db/p?ssl=verify-full"),
        ("postgresql://u:p@/p?host=/run/pg", "", "postgresql+asyncpg://u:p@/p?host=/run/pg"),
    ],
)
def test_platforms_addresses_become_those_of_prefects_driver(url: str, sslmode: str, driver: str) -> None:
    assert asyncpg_url(url, sslmode) == driver


def test_a_server_does_not_start_open_or_on_a_file() -> None:
    with pytest.raises(Refused) as refused:
        server_environment(load())
    for name in ("DATABASE_URL", "AUTH", "ENCRYPTION_KEY"):
        assert f"FIRSTUSER_PREFECT_{name}" in refused.value.message
    with pytest.raises(Refused):
        asyncpg_url("sqlite:///prefect.db")


def test_workers_and_runs_have_the_login_from_our_settings() -> None:
    service = ServiceSettings(prefect_api_url="http://prefect:4200/api", prefect_auth=SecretStr("admin:x"))
    told = prefect_environment(service)
    assert told["PREFECT_API_URL"] == "http://prefect:4200/api"
    assert told["PREFECT_API_AUTH_STRING"] == "admin:x"
    with pytest.raises(Refused, match="FIRSTUSER_PREFECT_API_URL"):
        prefect_environment(ServiceSettings())


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("postgresql://db/x", "postgresql://db/x?sslmode=require"),
        ("postgresql://db/x?a=1", "postgresql://db/x?a=1&sslmode=require"),
        ("postgresql://db/x?sslmode=verify-full", "postgresql://db/x?sslmode=verify-full"),
        ("", ""),
    ],
)
def test_a_platforms_address_gets_the_tls_that_it_says_nothing_of(
    url: str, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("FIRSTUSER_DATABASE_SSLMODE", "require")
    assert PlatformSettings.read(None).database_url.get_secret_value() == known
