"""ECS, on Fargate or not: one service. Every deploy is a task definition of its own, which carries our mark.

A deploy is live when the PRIMARY deployment has *our* task definition and its roll-out is COMPLETED. That the
service is stable says nothing: it is that, too, after a circuit breaker has brought the old one back.

The address of a restored copy is a SecureString of Parameter Store, injected while a drill goes on.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from api.core.errors import Rejected
from api.core.ids import new_id
from api.core.ports import Permission
from api.providers.access import tried
from api.providers.hosting import task_definitions as definitions
from api.providers.hosting.deploys import PlatformDeploy, Standing
from api.providers.hosting.pointing import DATABASE, MARK, POINTED
from api.providers.secret_stores.aws_errors import answers, code_of

LISTED = 20
_WAITING = {"PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"}
_BEGINNING = datetime.fromtimestamp(0, UTC)


class EcsService:
    """`client` and `parameters` of boto3, for `ecs` and `ssm`; `parameter`: where a drill's address goes."""

    name = "ecs"

    def __init__(
        self,
        client: Any,
        parameters: Any,
        cluster: str,
        service: str,
        *,
        container: str = "",
        parameter: str = "",
        kms_key: str = "",
    ) -> None:
        self._ecs = client
        self._ssm = parameters
        self._cluster = cluster
        self._service = service
        self._container = container
        self._parameter = parameter
        self._kms = {"KeyId": kms_key} if kms_key else {}

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        container = self._of(self._definition(self._described()["taskDefinition"]))
        found = {name: value for name, value in definitions.environment(container).items() if name in names}
        if DATABASE in names and DATABASE in definitions.secrets(container):
            found[DATABASE] = self._address()
        return found

    def variable_names(self) -> Collection[str]:
        container = self._of(self._definition(self._described()["taskDefinition"]))
        return {*definitions.environment(container), *definitions.secrets(container)}

    def deploys(self) -> Sequence[PlatformDeploy]:
        """By task definition, as the service's deployments of the last months had them."""
        service = self._described()
        primary = next((one for one in service["deployments"] if one["status"] == "PRIMARY"), None)
        if primary is None:
            raise self._no(
                "has no PRIMARY deployment", "Only services that ECS itself deploys can be steered."
            )
        listed = self._deployments()
        known = {definitions.short(primary["taskDefinition"]): self._primary(primary)}
        for status, reason, arn, created in listed:
            made = known.get(name := definitions.short(arn))
            if made is None:
                said = f"{status}: {reason}" if reason else status
                known[name] = self._deploy(arn, _ended(status), said, created)
            elif status not in _WAITING and name != definitions.short(primary["taskDefinition"]):
                known[name] = made
        return sorted(known.values(), key=lambda one: one.at, reverse=True)

    def deploy(self, changes: Mapping[str, str | None]) -> str:
        serving = self._definition(self._described()["taskDefinition"])
        if address := changes.get(DATABASE):
            with self._asked("put the address", "ssm:PutParameter"):
                self._ssm.put_parameter(
                    Name=self._parameter, Value=address, Type="SecureString", Overwrite=True, **self._kms
                )
        plain = {name: value for name, value in changes.items() if name != DATABASE}
        injected = {DATABASE: self._parameter if changes[DATABASE] else None} if DATABASE in changes else {}
        made = self._deployed(
            serving, {MARK: new_id("dep"), **plain}, injected, {definitions.WENT_BACK: None}
        )
        if DATABASE in changes and not changes[DATABASE]:
            self._forget_address()
        return made

    def release(self, name: str, changes: Mapping[str, str | None], *, irreversible: bool = False) -> str:
        serving = self._definition(self._described()["taskDefinition"])
        named = definitions.released(serving, self._of(serving), name)
        labels = {definitions.MIGRATION: "irreversible" if irreversible else None}
        marks = {MARK: new_id("dep"), **changes}
        return self._deployed(named, marks, {}, {**labels, definitions.WENT_BACK: None})

    def roll_back(self, to: PlatformDeploy) -> str:
        """What is being rolled out still is stopped; anything else is gone back from with a new revision."""
        going = self._rolling_out()
        if going is not None and to.standing is Standing.LIVE:
            with self._asked("stop the deployment", "ecs:StopServiceDeployment"):
                self._ecs.stop_service_deployment(serviceDeploymentArn=going, stopType="ROLLBACK")
            return to.id
        marks: dict[str, str | None] = {**dict.fromkeys(POINTED), MARK: new_id("dep")}
        return self._deployed(
            self._definition(to.id), marks, {DATABASE: None}, {definitions.WENT_BACK: to.id}
        )

    def go_on(self) -> None:
        """Nothing: what was begun goes on without us."""

    def check_access(self) -> Sequence[Permission]:
        write = "register task definitions, update the service, put the drill's parameter"
        return [
            tried("read the service", self._described, lambda found: f"{found['runningCount']} tasks run"),
            tried("read the task definition", self.variable_names, lambda found: f"{len(found)} variables"),
            tried("read deployments", self.deploys, lambda found: f"{len(found)} deployments"),
            Permission(write, None, "AWS says it when it is done; docs/providers/ecs.md has the policy"),
        ]

    def _deployed(
        self,
        source: Mapping[str, Any],
        plain: Mapping[str, str | None],
        injected: Mapping[str, str | None],
        labels: Mapping[str, str | None],
    ) -> str:
        """Registered and given to the service. A kill between the two leaves a revision that nobody runs."""
        container = definitions.changed(self._of(source), plain, injected, labels)
        with self._asked("register a task definition", "ecs:RegisterTaskDefinition and iam:PassRole"):
            made = self._ecs.register_task_definition(**definitions.registrable(source, container))
        arn = made["taskDefinition"]["taskDefinitionArn"]
        with self._asked("update the service", "ecs:UpdateService"):
            self._ecs.update_service(cluster=self._cluster, service=self._service, taskDefinition=arn)
        return definitions.short(arn)

    def _primary(self, found: Mapping[str, Any]) -> PlatformDeploy:
        state, reason = found.get("rolloutState", "COMPLETED"), found.get("rolloutStateReason", "")
        standing = {"COMPLETED": Standing.LIVE, "FAILED": Standing.FAILED}.get(state, Standing.WAITING)
        if standing is Standing.LIVE and found["runningCount"] < found["desiredCount"]:
            standing, reason = (
                Standing.WAITING,
                f"{found['runningCount']} of {found['desiredCount']} tasks run",
            )
        said = f"{state}: {reason}" if standing is not Standing.LIVE and reason else state
        return self._deploy(found["taskDefinition"], standing, said, found["createdAt"])

    def _deploy(self, arn: str, standing: Standing, said: str, at: datetime) -> PlatformDeploy:
        container = self._of(self._definition(arn))
        return PlatformDeploy(
            id=definitions.short(arn),
            standing=standing,
            said=said,
            release=definitions.release(container),
            at=at,
            went_back=definitions.WENT_BACK in (container.get("dockerLabels") or {}),
            irreversible=definitions.irreversible(container),
        )

    def _described(self) -> dict[str, Any]:
        with self._asked("read the service", "ecs:DescribeServices"):
            found = self._ecs.describe_services(cluster=self._cluster, services=[self._service])
        if not found["services"] or found["services"][0]["status"] == "INACTIVE":
            fix = "Check ECS_CLUSTER, ECS_SERVICE and AWS_REGION."
            raise self._no(f"has no service {self._service} in {self._cluster}", fix)
        return found["services"][0]

    def _deployments(self) -> list[tuple[str, str, str, datetime]]:
        """(status, reason, task definition, when), newest first."""
        with self._asked("list deployments", "ecs:ListServiceDeployments"):
            listed = self._ecs.list_service_deployments(
                cluster=self._cluster, service=self._service, maxResults=LISTED
            )["serviceDeployments"]
        if not listed:
            return []
        arns = [one["targetServiceRevisionArn"] for one in listed]
        with self._asked("read revisions", "ecs:DescribeServiceRevisions"):
            found = self._ecs.describe_service_revisions(serviceRevisionArns=list(dict.fromkeys(arns)))
        of = {one["serviceRevisionArn"]: one["taskDefinition"] for one in found["serviceRevisions"]}
        return [
            (one["status"], one.get("statusReason", ""), of[arn], one.get("createdAt", _BEGINNING))
            for one, arn in zip(listed, arns, strict=True)
            if arn in of
        ]

    def _rolling_out(self) -> str | None:
        with self._asked("list deployments", "ecs:ListServiceDeployments"):
            listed = self._ecs.list_service_deployments(
                cluster=self._cluster, service=self._service, status=["PENDING", "IN_PROGRESS"]
            )["serviceDeployments"]
        return listed[0]["serviceDeploymentArn"] if listed else None

    def _definition(self, name: str) -> dict[str, Any]:
        with self._asked("read the task definition", "ecs:DescribeTaskDefinition"):
            return self._ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]

    def _of(self, definition: Mapping[str, Any]) -> dict[str, Any]:
        containers: list[dict[str, Any]] = definition["containerDefinitions"]
        found = next((one for one in containers if self._container in ("", one["name"])), None)
        if found is None:
            said = f"has no container {self._container} in {definition['family']}"
            raise self._no(said, "Correct ECS_CONTAINER.")
        return found

    def _address(self) -> str:
        try:
            with self._asked("read the address", "ssm:GetParameter"):
                return self._ssm.get_parameter(Name=self._parameter, WithDecryption=True)["Parameter"][
                    "Value"
                ]
        except Rejected as error:
            if isinstance(error.__context__, ClientError) and code_of(error.__context__) == _GONE:
                return ""
            raise

    def _forget_address(self) -> None:
        with self._asked("forget the address", "ssm:DeleteParameters"):
            self._ssm.delete_parameters(Names=[self._parameter])

    def _no(self, said: str, fix: str) -> Rejected:
        return Rejected(f"{self.name} {said}.", provider=self.name, operation="read", fix=fix)

    def _asked(self, operation: str, action: str) -> AbstractContextManager[None]:
        return answers(self.name, operation, action)


_GONE = "ParameterNotFound"


def _ended(status: str) -> Standing:
    if status in _WAITING:
        return Standing.WAITING
    return Standing.GONE if status == "SUCCESSFUL" else Standing.FAILED
