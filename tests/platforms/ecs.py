"""ECS for one service, with Parameter Store and Secrets Manager, as AWS speaks JSON: task definitions,
deployments, and roll-outs with a circuit breaker that brings the old one back."""

from dataclasses import dataclass
from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply
from tests.platforms.secrets_manager import FakeSecretsManager, NotThere

REGION, CLUSTER, SERVICE = "eu-central-1", "main", "api"
_ARN = f"arn:aws:ecs:{REGION}:123456789012"
_BEGAN = 1_763_971_200
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/api"


@dataclass
class Rollout:
    """One deployment of the service. `steps` left until it ends."""

    number: int
    definition: str
    at: int
    status: str = "IN_PROGRESS"
    steps: int = 3
    fails: bool = False


class FakeEcs(FakePlatform):
    """`variables` are what the first task definition has in its environment; each look brings a roll-out one
    step further."""

    base = ""

    def __init__(self) -> None:
        super().__init__()
        self.definitions: dict[str, dict[str, Any]] = {}
        self.rollouts: list[Rollout] = []
        self.parameters: dict[str, str] = {}
        self.manager = FakeSecretsManager()
        self.references: dict[str, str] = {}  # what the next one pushed is injected with, beside the usual

    def push(self, release: str, *, irreversible: bool = False) -> None:
        labels = {"firstuser.migration": "irreversible"} if irreversible else {}
        container = {
            "name": "api",
            "image": f"{IMAGE}:{release}",
            "essential": True,
            "environment": [{"name": name, "value": value} for name, value in self.variables.items()],
            "secrets": [
                {"name": "SESSION_SECRET", "valueFrom": "arn:aws:secretsmanager:x"},
                *({"name": name, "valueFrom": at} for name, at in self.references.items()),
            ],
            "dockerLabels": labels,
        }
        definition = {"family": "api", "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
        self._start(self._register({**definition, "containerDefinitions": [container]}), at_once=True)

    def overtake(self) -> None:
        """A pipeline deploys the same image with its own task definition."""
        self.push(self.live())

    def live(self) -> str:
        return str(self._container(self._serving().definition)["image"]).rpartition(":")[2]

    def authorized(self, asked: Asked) -> bool:
        return self.token in asked.headers.get("authorization", "")

    def not_authorized(self) -> Reply:
        return _error("ExpiredTokenException")

    def answer(self, asked: Asked) -> Reply:
        service, _, operation = asked.headers["x-amz-target"].rpartition(".")
        if service == "secretsmanager":
            try:
                return Reply(200, self.manager.answer(operation, asked.body))
            except NotThere:
                return _error("ResourceNotFoundException")
        found: Reply | dict[str, Any] = getattr(self, f"_{operation}")(asked.body)
        return found if isinstance(found, Reply) else Reply(200, found)

    def _DescribeServices(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["services"] != [SERVICE] or given["cluster"] != CLUSTER:
            return {"services": [], "failures": [{"arn": "x", "reason": "MISSING"}]}
        self._step()
        primary, *others = self._up()
        deployments = [_deployment(primary, "PRIMARY"), *(_deployment(one, "ACTIVE") for one in others)]
        service = {
            "serviceName": SERVICE,
            "status": "ACTIVE",
            "taskDefinition": self._up()[0].definition,
            "desiredCount": 2,
            "runningCount": 2,
            "deployments": deployments,
        }
        return {"services": [service], "failures": []}

    def _ListServiceDeployments(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = given.get("status")
        found = [one for one in reversed(self.rollouts) if not wanted or one.status in wanted]
        return {"serviceDeployments": [_brief(one) for one in found]}

    def _DescribeServiceRevisions(self, given: dict[str, Any]) -> dict[str, Any]:
        of = {_revision(one): one.definition for one in self.rollouts}
        return {
            "serviceRevisions": [
                {"serviceRevisionArn": arn, "taskDefinition": of[arn]}
                for arn in given["serviceRevisionArns"]
                if arn in of
            ]
        }

    def _DescribeTaskDefinition(self, given: dict[str, Any]) -> Reply | dict[str, Any]:
        name = given["taskDefinition"].rpartition("/")[2]
        found = self.definitions.get(f"{_ARN}:task-definition/{name}")
        return {"taskDefinition": found} if found else _error("ClientException")

    def _RegisterTaskDefinition(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"taskDefinition": self.definitions[self._register(given)]}

    def _UpdateService(self, given: dict[str, Any]) -> dict[str, Any]:
        self._start(given["taskDefinition"])
        return {"service": self._DescribeServices({"services": [SERVICE], "cluster": CLUSTER})["services"][0]}

    def _StopServiceDeployment(self, given: dict[str, Any]) -> dict[str, Any]:
        newest = self.rollouts[-1]
        assert given == {"serviceDeploymentArn": _arn(newest), "stopType": "ROLLBACK"}
        newest.steps, newest.status = 0, "ROLLBACK_SUCCESSFUL"
        return {"serviceDeploymentArn": _arn(newest)}

    def _PutParameter(self, given: dict[str, Any]) -> dict[str, Any]:
        assert given["Type"] == "SecureString"
        self.parameters[given["Name"]] = given["Value"]
        return {"Version": 1, "Tier": "Standard"}

    def _GetParameter(self, given: dict[str, Any]) -> Reply | dict[str, Any]:
        name = given["Name"]
        if name not in self.parameters:
            return _error("ParameterNotFound")
        return {"Parameter": {"Name": name, "Type": "SecureString", "Value": self.parameters[name]}}

    def _DeleteParameters(self, given: dict[str, Any]) -> dict[str, Any]:
        gone = [name for name in given["Names"] if self.parameters.pop(name, None) is not None]
        return {"DeletedParameters": gone} if gone else {"InvalidParameters": given["Names"]}

    def _register(self, given: dict[str, Any]) -> str:
        number = len(self.definitions) + 1
        arn = f"{_ARN}:task-definition/api:{number}"
        self.definitions[arn] = {
            **given,
            "taskDefinitionArn": arn,
            "revision": number,
            "status": "ACTIVE",
            "volumes": [],
            "compatibilities": ["EC2", "FARGATE"],
            "registeredAt": _BEGAN,
            "registeredBy": "arn:aws:iam::123456789012:user/x",
        }
        return arn

    def _start(self, definition: str, *, at_once: bool = False) -> None:
        for one in self.rollouts:
            if one.steps:
                one.steps, one.status = 0, "STOPPED"
        number = len(self.rollouts)
        fails, self.fails = self.fails > 0, max(0, self.fails - 1)
        fails = fails or not self._can_start(definition)
        self.rollouts.append(Rollout(number, definition, _BEGAN + 60 * number, fails=fails))
        while at_once and self.rollouts[-1].steps:
            self._step()

    def _step(self) -> None:
        newest = self.rollouts[-1]
        if not newest.steps:
            return
        newest.steps -= 1
        if not newest.steps and newest.fails:
            newest.status = "ROLLBACK_SUCCESSFUL"  # the circuit breaker: PRIMARY is the old one again
        elif not newest.steps:
            newest.status = "SUCCESSFUL"
            self.on_live(self._runs_with(newest.definition), self.live())

    def _can_start(self, definition: str) -> bool:
        """Not while something that is injected is not there."""
        try:
            self._runs_with(definition)
        except NotThere:
            return False
        return True

    def _runs_with(self, definition: str) -> dict[str, str]:
        """What a task is started with: its environment, and what is injected."""
        container = self._container(definition)
        injected = {
            one["name"]: self.parameters[one["valueFrom"]]
            for one in container.get("secrets", [])
            if one["valueFrom"] in self.parameters
        }
        injected |= {
            one["name"]: self.manager.injected(one["valueFrom"])
            for one in container.get("secrets", [])
            if "::" in one["valueFrom"]
        }
        return {one["name"]: one["value"] for one in container["environment"]} | injected

    def _container(self, definition: str) -> dict[str, Any]:
        return self.definitions[definition]["containerDefinitions"][0]

    def _serving(self) -> Rollout:
        return next(one for one in reversed(self.rollouts) if one.status == "SUCCESSFUL")

    def _up(self) -> list[Rollout]:
        """PRIMARY first."""
        newest = self.rollouts[-1]
        going = [newest] if newest.status == "IN_PROGRESS" else []
        served = [one for one in self.rollouts if one.status == "SUCCESSFUL"]
        return [*going, *served[-1:]]


def _deployment(one: Rollout, status: str) -> dict[str, Any]:
    running = 1 if one.steps else 2
    return {
        "id": f"ecs-svc/{one.number:019}",
        "status": status,
        "taskDefinition": one.definition,
        "desiredCount": 2,
        "pendingCount": 2 - running,
        "runningCount": running,
        "failedTasks": 0,
        "createdAt": one.at,
        "updatedAt": one.at,
        "rolloutState": "IN_PROGRESS" if one.steps else "COMPLETED",
        "rolloutStateReason": f"ECS deployment ecs-svc/{one.number:019}",
    }


def _brief(one: Rollout) -> dict[str, Any]:
    return {
        "serviceDeploymentArn": _arn(one),
        "serviceArn": f"{_ARN}:service/{CLUSTER}/{SERVICE}",
        "clusterArn": f"{_ARN}:cluster/{CLUSTER}",
        "createdAt": one.at,
        "status": one.status,
        "statusReason": "tasks failed to start" if one.fails and not one.steps else "",
        "targetServiceRevisionArn": _revision(one),
    }


def _arn(one: Rollout) -> str:
    return f"{_ARN}:service-deployment/{CLUSTER}/{SERVICE}/{one.number:024}"


def _revision(one: Rollout) -> str:
    return f"{_ARN}:service-revision/{CLUSTER}/{SERVICE}/{one.number:019}"


def _error(code: str) -> Reply:
    return Reply(400, {"__type": code, "message": "no"})
