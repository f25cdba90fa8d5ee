"""ECS as AWS tells its story: what counts as live, what a circuit breaker leaves, how a roll-out is stopped.

Stubbed answers, one after the other, which botocore holds against its models; moto for what is registered.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from api.core.errors import Rejected
from api.providers.hosting.deploys import PlatformDeploy, Standing
from api.providers.hosting.ecs import EcsService

ARN = "arn:aws:ecs:eu-central-1:123456789012"
OLD, OURS = f"{ARN}:task-definition/api:6", f"{ARN}:task-definition/api:7"
AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
PLACE = {"cluster": "main", "service": "api"}
Story = tuple[EcsService, Stubber]


@pytest.fixture
def story() -> Iterator[Story]:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-central-1"}
    client, ssm = boto3.client("ecs", **keys), boto3.client("ssm", **keys)
    with Stubber(client) as stub:
        yield EcsService(client, ssm, "main", "api"), stub
        stub.assert_no_pending_responses()


def service(*deployments: dict[str, Any]) -> dict[str, Any]:
    primary = deployments[0]
    return {
        "services": [
            {"status": "ACTIVE", "taskDefinition": primary["taskDefinition"], "deployments": deployments}
        ]
    }


def deployment(arn: str, status: str, rollout: str, running: int = 2, reason: str = "") -> dict[str, Any]:
    return {
        "status": status,
        "taskDefinition": arn,
        "rolloutState": rollout,
        "rolloutStateReason": reason,
        "runningCount": running,
        "desiredCount": 2,
        "createdAt": AT,
    }


def definition(arn: str, release: str) -> dict[str, Any]:
    container = {"name": "api", "image": f"registry/api:{release}", "environment": []}
    return {
        "taskDefinition": {"taskDefinitionArn": arn, "family": "api", "containerDefinitions": [container]}
    }


def look(
    story: Story, described: dict[str, Any], listed: list[tuple[str, str, str]]
) -> dict[str, PlatformDeploy]:
    """`listed`: (status, reason, task definition), newest first."""
    ecs, stub = story
    stub.add_response("describe_services", described, {"cluster": "main", "services": ["api"]})
    found = [
        {
            "status": status,
            "statusReason": reason,
            "targetServiceRevisionArn": f"{ARN}:service-revision/main/api/{number}",
            "createdAt": AT - timedelta(minutes=number),
        }
        for number, (status, reason, _) in enumerate(listed)
    ]
    stub.add_response("list_service_deployments", {"serviceDeployments": found}, {**PLACE, "maxResults": 20})
    revisions = [
        {"serviceRevisionArn": one["targetServiceRevisionArn"], "taskDefinition": arn}
        for one, (_, _, arn) in zip(found, listed, strict=True)
    ]
    asked = {"serviceRevisionArns": [one["serviceRevisionArn"] for one in revisions]}
    stub.add_response("describe_service_revisions", {"serviceRevisions": revisions}, asked)
    primary = described["services"][0]["taskDefinition"]
    for arn in dict.fromkeys([primary, *(arn for _, _, arn in listed)]):
        stub.add_response("describe_task_definition", definition(arn, arn[-1]), {"taskDefinition": arn})
    return {one.id: one for one in ecs.deploys()}


def test_ours_is_live_once_it_is_primary_and_completed(story: Story) -> None:
    listed = [("IN_PROGRESS", "", OURS), ("SUCCESSFUL", "", OLD)]
    going = service(deployment(OURS, "PRIMARY", "IN_PROGRESS", 1), deployment(OLD, "ACTIVE", "COMPLETED"))
    assert look(story, going, listed)["api:7"].standing is Standing.WAITING
    done = service(deployment(OURS, "PRIMARY", "COMPLETED"))
    found = look(story, done, [("SUCCESSFUL", "", OURS), ("SUCCESSFUL", "", OLD)])
    assert (found["api:7"].standing, found["api:6"].standing) == (Standing.LIVE, Standing.GONE)


@pytest.mark.parametrize(
    ("rollout", "standing"), [("IN_PROGRESS", Standing.WAITING), ("FAILED", Standing.FAILED)]
)
def test_that_all_its_tasks_run_is_not_enough(story: Story, rollout: str, standing: Standing) -> None:
    """Until the roll-out is completed the balancer may still find them sick, and the old ones run."""
    going = service(deployment(OURS, "PRIMARY", rollout), deployment(OLD, "ACTIVE", "COMPLETED"))
    found = look(story, going, [("IN_PROGRESS", "", OURS), ("SUCCESSFUL", "", OLD)])
    assert found["api:7"].standing is standing


def test_a_service_is_stable_after_a_circuit_breaker_and_ours_is_not_live(story: Story) -> None:
    """Stable: one PRIMARY deployment, COMPLETED, all tasks run. It has the old task definition."""
    stable = service(deployment(OLD, "PRIMARY", "COMPLETED", reason="ECS deployment circuit breaker"))
    listed = [("ROLLBACK_SUCCESSFUL", "tasks failed to start", OURS), ("SUCCESSFUL", "", OLD)]
    found = look(story, stable, listed)
    assert found["api:7"].standing is Standing.FAILED and "tasks failed to start" in found["api:7"].said
    assert found["api:6"].standing is Standing.LIVE


def test_completed_with_tasks_missing_is_not_live(story: Story) -> None:
    found = look(story, service(deployment(OURS, "PRIMARY", "COMPLETED", 1)), [("SUCCESSFUL", "", OURS)])
    assert found["api:7"].standing is Standing.WAITING and "1 of 2" in found["api:7"].said


def test_a_roll_out_that_goes_on_is_stopped_and_not_overtaken(story: Story) -> None:
    ecs, stub = story
    arn = f"{ARN}:service-deployment/main/api/1"
    asked = {**PLACE, "status": ["PENDING", "IN_PROGRESS"]}
    stub.add_response(
        "list_service_deployments", {"serviceDeployments": [{"serviceDeploymentArn": arn}]}, asked
    )
    stopped = {"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}
    stub.add_response("stop_service_deployment", {"serviceDeploymentArn": arn}, stopped)
    assert ecs.roll_back(PlatformDeploy("api:6", Standing.LIVE, "COMPLETED", "6", AT)) == "api:6"


def test_what_is_not_there_and_what_is_not_allowed_say_so(story: Story) -> None:
    ecs, stub = story
    stub.add_response("describe_services", {"services": [], "failures": [{"reason": "MISSING"}]})
    with pytest.raises(Rejected, match="no service api in main"):
        ecs.deploys()
    stub.add_client_error("describe_services", "AccessDeniedException", http_status_code=400)
    with pytest.raises(Rejected) as error:
        ecs.deploys()
    assert "ecs:DescribeServices" in error.value.fix


def test_a_copy_of_a_task_definition_is_one_that_aws_takes() -> None:
    """moto keeps what it is given; a field that only answers have would be refused before it is sent."""
    with mock_aws():
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-central-1"}
        client, ssm = boto3.client("ecs", **keys), boto3.client("ssm", **keys)
        client.create_cluster(clusterName="main")
        sidecar = {"name": "proxy", "image": "registry/proxy:1", "essential": True}
        api = {
            "name": "api",
            "image": "registry/api:1",
            "essential": True,
            "environment": [{"name": "OTHER", "value": "untouched"}],
            "secrets": [{"name": "SESSION_SECRET", "valueFrom": "arn:secret"}],
            "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
        }
        client.register_task_definition(
            family="api", networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=[sidecar, api]
        )
        client.create_service(cluster="main", serviceName="api", taskDefinition="api:1", desiredCount=1)
        ecs = EcsService(client, ssm, "main", "api", container="api", parameter="/firstuser/drill/api")
        url = "FIRSTUSER_RESTORED_DATABASE_URL"
        assert ecs.deploy({"FIRSTUSER_RESTORED_COPY": "drill-1", url: "postgresql://a:b@copy/x"}) == "api:2"
        assert ecs.get(["OTHER", url, "FIRSTUSER_RESTORED_COPY"]) == {
            "OTHER": "untouched",
            url: "postgresql://a:b@copy/x",
            "FIRSTUSER_RESTORED_COPY": "drill-1",
        }
        found = client.describe_task_definition(taskDefinition="api:2")["taskDefinition"]
        assert found["containerDefinitions"][0] | {"environment": []} == sidecar | {"environment": []} | {
            name: value for name, value in found["containerDefinitions"][0].items() if name not in sidecar
        }
        assert "postgresql" not in str(found), "an address with a password is injected, never written down"
        ecs.deploy({url: None, "FIRSTUSER_RESTORED_COPY": None})
        assert ecs.get([url, "FIRSTUSER_RESTORED_COPY"]) == {}
        assert ssm.describe_parameters()["Parameters"] == []
