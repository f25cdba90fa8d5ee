"""RDS on loopback: instances and Aurora clusters with their states, in the query protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from tests.managed import query
from tests.managed.places import Places
from tests.managed.vendor import HOST, FakeVendor, Made
from tests.platforms.fake import Asked, Reply

INSTANCE, CLUSTER, SECRET = "firstuser-production", "firstuser-aurora", "aws-secret-of-the-drills"
GROUPS = ["sg-0a1", "sg-0b2"]
LAG = timedelta(seconds=1)


@dataclass(frozen=True)
class Answer:
    action: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Fault:
    code: str
    message: str = "refused"


class FakeRds(FakeVendor):
    kind = "text/xml"

    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__(places, passwords)
        self.days = 14
        self.leaving: dict[str, tuple[Made, int]] = {}

    def read(self, content: bytes) -> Any:
        return query.read(content)

    def write(self, body: Any) -> bytes:
        if isinstance(body, Fault):
            return query.error(body.code, body.message)
        return query.written(body.action, body.result)

    def said(self, message: str, status: int) -> Any:
        return Fault("InternalFailure" if status == 500 else "Throttling", message)

    def authorized(self, asked: Asked) -> bool:
        return f"Credential={self.token}/" in asked.headers.get("authorization", "")

    def not_authorized(self) -> Reply:
        return Reply(403, Fault("ExpiredToken", "The security token included in the request is expired"))

    def writes(self, asked: Asked) -> bool:
        return not asked.body[0].startswith("Describe")

    def disown(self) -> None:
        for made in self.made.values():
            tags = made.facts["Tags"]
            made.facts["Tags"] = [
                {**tag, "Value": "another"} if "source" in tag["Key"] else tag for tag in tags
            ]

    def turn_pitr_off(self) -> None:
        self.days = 0

    def answer(self, asked: Asked) -> Reply:
        action, given = asked.body
        carry_out: Callable[[dict[str, Any]], dict[str, Any] | Fault] = getattr(self, f"on_{action}")
        result = carry_out(given)
        if isinstance(result, Fault):
            return Reply(404 if "NotFound" in result.code else 400, result)
        return Reply(200, Answer(action, result))

    # instances

    def on_DescribeDBInstances(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        named = given.get("DBInstanceIdentifier")
        shown = [one for one in self._instances() if named in (None, one["DBInstanceIdentifier"])]
        return {"DBInstances": shown} if shown or not named else Fault("DBInstanceNotFound")

    def on_RestoreDBInstanceToPointInTime(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        name = given["TargetDBInstanceIdentifier"]
        if name in self.made or name in self.leaving:
            return Fault("DBInstanceAlreadyExists")
        if given["SourceDBInstanceIdentifier"] != INSTANCE:
            return Fault("DBInstanceNotFound")
        if not self._reachable(given["RestoreTime"]):
            return Fault("InvalidRestoreFault")
        made = self.make(name, name, given["RestoreTime"])
        made.facts = given
        return {"DBInstance": self._instance(made)}

    def on_DeleteDBInstance(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        name = given["DBInstanceIdentifier"]
        if name in self.leaving:
            return Fault("InvalidDBInstanceState", f"Instance {name} is already being deleted.")
        made = self.made.get(name)
        if made is None:
            return Fault("DBInstanceNotFound")
        if self._status(made) == "creating":
            return Fault("InvalidDBInstanceState", f"Instance {name} is currently creating.")
        self.drop(made)
        self.leaving[name] = (made, self.slowness)
        return {"DBInstance": self._plain(made, "deleting")}

    def _instances(self) -> list[dict[str, Any]]:
        source = {
            "DBInstanceIdentifier": INSTANCE,
            "DBInstanceStatus": "available",
            "DBInstanceClass": "db.m7g.large",
            "Engine": "postgres",
            "EngineVersion": "18.1",
            "StorageEncrypted": True,
            "PubliclyAccessible": False,
            "InstanceCreateTime": self.born,
            "BackupRetentionPeriod": self.days,
            "LatestRestorableTime": system_clock() - LAG if self.days else None,
            "DBSubnetGroup": {"DBSubnetGroupName": "private"},
            "VpcSecurityGroups": [{"VpcSecurityGroupId": group, "Status": "active"} for group in GROUPS],
            "DBParameterGroups": [{"DBParameterGroupName": "firstuser-18"}],
            "Endpoint": {"Address": "production.rds.invalid", "Port": 5432},
        }
        return [source, *map(self._instance, self.made.values()), *self._leaving_now()]

    def _leaving_now(self) -> list[dict[str, Any]]:
        shown = [self._plain(made, "deleting") for made, _ in self.leaving.values()]
        self.leaving = {name: (made, left - 1) for name, (made, left) in self.leaving.items() if left > 0}
        return shown

    def _status(self, made: Made) -> str:
        try:
            return "creating" if self.port(made) is None else "available"
        except FirstUserError:
            return "incompatible-restore"

    def _instance(self, made: Made) -> dict[str, Any]:
        status = self._status(made)
        port = self.port(made) if status == "available" else None
        endpoint = {"Endpoint": {"Address": HOST, "Port": port}} if port else {}
        return self._plain(made, status) | endpoint

    def _plain(self, made: Made, status: str) -> dict[str, Any]:
        return {
            "DBInstanceIdentifier": made.id,
            "DBInstanceStatus": status,
            "DBInstanceClass": made.facts.get("DBInstanceClass", "db.m7g.large"),
            "Engine": "postgres",
            "EngineVersion": "18.1",
            "StorageEncrypted": True,
            "PubliclyAccessible": made.facts.get("PubliclyAccessible", True),
            "TagList": made.facts.get("Tags", []),
        }

    def _reachable(self, moment: datetime) -> bool:
        now = system_clock()
        return now - timedelta(days=self.days) <= moment <= now - LAG


class FakeAurora(FakeRds):
    """Clusters, and instances in them: a cluster that is not available takes none."""

    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__(places, passwords)
        self.members: dict[str, dict[str, Any]] = {}

    def on_DescribeDBClusters(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        named = given.get("DBClusterIdentifier")
        shown = [one for one in self._clusters() if named in (None, one["DBClusterIdentifier"])]
        return {"DBClusters": shown} if shown or not named else Fault("DBClusterNotFoundFault")

    def on_RestoreDBClusterToPointInTime(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        name = given["DBClusterIdentifier"]
        if name in self.made or name in self.leaving:
            return Fault("DBClusterAlreadyExistsFault")
        if not self._reachable(given["RestoreToTime"]):
            return Fault("InvalidRestoreFault")
        made = self.make(name, name, given["RestoreToTime"])
        made.facts = given
        return {"DBCluster": self._cluster(made)}

    def on_CreateDBInstance(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        made = self.made.get(given["DBClusterIdentifier"])
        if made is None:
            return Fault("DBClusterNotFoundFault")
        if self._status(made) != "available":
            return Fault("InvalidDBClusterStateFault")
        if given["DBInstanceIdentifier"] in self.members:
            return Fault("DBInstanceAlreadyExists")
        self.members[given["DBInstanceIdentifier"]] = given | {"looks": self.slowness}
        self.effects.append("instance")
        return {"DBInstance": self._member(given["DBInstanceIdentifier"])}

    def on_DescribeDBInstances(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        named = given["DBInstanceIdentifier"]
        if named == "writer-1":
            return {"DBInstances": [{"DBInstanceIdentifier": named, "DBInstanceClass": "db.r7g.large"}]}
        return (
            {"DBInstances": [self._member(named)]} if named in self.members else Fault("DBInstanceNotFound")
        )

    def on_DeleteDBInstance(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        if self.members.pop(given["DBInstanceIdentifier"], None) is None:
            return Fault("DBInstanceNotFound")
        self.effects.append("delete instance")
        return {}

    def on_DeleteDBCluster(self, given: dict[str, Any]) -> dict[str, Any] | Fault:
        name = given["DBClusterIdentifier"]
        made = self.made.get(name)
        if made is None:
            return Fault("InvalidDBClusterStateFault" if name in self.leaving else "DBClusterNotFoundFault")
        if self._status(made) == "creating" or self._members_of(name):
            return Fault("InvalidDBClusterStateFault", "Cluster cannot be deleted.")
        self.drop(made)
        self.leaving[name] = (made, self.slowness)
        return {"DBCluster": self._shown(made, "deleting")}

    def _member(self, name: str) -> dict[str, Any]:
        given = self.members[name]
        given["looks"] = max(0, given["looks"] - 1)
        return {
            "DBInstanceIdentifier": name,
            "DBInstanceClass": given["DBInstanceClass"],
            "DBClusterIdentifier": given["DBClusterIdentifier"],
            "DBInstanceStatus": "creating" if given["looks"] else "available",
            "PubliclyAccessible": given["PubliclyAccessible"],
        }

    def _members_of(self, cluster: str) -> list[str]:
        return [name for name, given in self.members.items() if given["DBClusterIdentifier"] == cluster]

    def _clusters(self) -> list[dict[str, Any]]:
        latest = {"LatestRestorableTime": system_clock() - LAG} if self.days else {}
        earliest = {"EarliestRestorableTime": system_clock() - timedelta(days=self.days)} if self.days else {}
        source = {
            "DBClusterIdentifier": CLUSTER,
            "Status": "available",
            "Engine": "aurora-postgresql",
            "EngineVersion": "17.7",
            "StorageEncrypted": True,
            "BackupRetentionPeriod": self.days or 1,
            "DBSubnetGroup": "private",
            "VpcSecurityGroups": [{"VpcSecurityGroupId": group} for group in GROUPS],
            "DBClusterParameterGroup": "firstuser-17",
            "DBClusterMembers": [{"DBInstanceIdentifier": "writer-1", "IsClusterWriter": True}],
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8.0},
        }
        leaving = [self._shown(made, "deleting") for made, _ in self.leaving.values()]
        self.leaving = {name: (made, left - 1) for name, (made, left) in self.leaving.items() if left > 0}
        return [source | latest | earliest, *map(self._cluster, self.made.values()), *leaving]

    def _cluster(self, made: Made) -> dict[str, Any]:
        status = self._status(made)
        port = self.port(made) if status == "available" else None
        return self._shown(made, status) | ({"Port": port} if port else {})

    def _status(self, made: Made) -> str:
        status = super()._status(made)
        return "cloning-failed" if status == "incompatible-restore" else status

    def _shown(self, made: Made, status: str) -> dict[str, Any]:
        members = [
            {"DBInstanceIdentifier": name, "IsClusterWriter": True} for name in self._members_of(made.id)
        ]
        return {
            "DBClusterIdentifier": made.id,
            "Status": status,
            "Engine": "aurora-postgresql",
            "EngineVersion": "17.7",
            "StorageEncrypted": True,
            "Endpoint": HOST,
            "DBClusterMembers": members,
            "TagList": made.facts.get("Tags", []),
        }
