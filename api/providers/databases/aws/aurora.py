"""Aurora PostgreSQL: a cluster restored to a moment holds the data, an instance in it answers.

The cluster comes first, and takes no instance before it is available: a copy is half made until then. It goes
the other way round.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from api.core.ports import BackupPolicy, ProviderFact
from api.providers.databases.aws import tags
from api.providers.databases.aws.calls import Calls, state
from api.providers.databases.aws.rds import same
from api.providers.databases.managed import addresses
from api.providers.databases.managed.vendor import Copy, State, Window


class Aurora:
    name = "aurora"
    picks_moment = False

    def __init__(self, client: Any, cluster: str) -> None:
        """`client` of boto3; `cluster`: production's."""
        self._calls = Calls(self.name, client)
        self._cluster = cluster

    def window(self, now: datetime) -> Window | None:
        source = self._source()
        earliest, latest = source.get("EarliestRestorableTime"), source.get("LatestRestorableTime")
        return Window(self._cluster, earliest, latest) if earliest and latest else None

    def policy(self, now: datetime) -> BackupPolicy:
        source = self._source()
        days, latest = float(source.get("BackupRetentionPeriod", 0)), source.get("LatestRestorableTime")
        note = "" if latest else f"The cluster {self._cluster} cannot be restored to any moment."
        return BackupPolicy(latest is not None, days, latest, note)

    def copies(self) -> Sequence[Copy]:
        shown = self._calls.every("describe_db_clusters", "DBClusters")
        return [copy for one in shown if (copy := self._copy(one)) is not None]

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        source = self._source()
        asked = {
            "DBClusterIdentifier": name,
            "SourceDBClusterIdentifier": self._cluster,
            "RestoreToTime": at,
            "DBSubnetGroupName": source.get("DBSubnetGroup"),
            "VpcSecurityGroupIds": [
                group["VpcSecurityGroupId"] for group in source.get("VpcSecurityGroups", [])
            ],
            "DBClusterParameterGroupName": source.get("DBClusterParameterGroup"),
            "DeletionProtection": False,
            "ServerlessV2ScalingConfiguration": _limits(source.get("ServerlessV2ScalingConfiguration")),
            "Tags": tags.written(name, self._cluster, at, expires_at),
        }
        known = {key: value for key, value in asked.items() if value not in (None, [])}
        self._calls.order("restore_db_cluster_to_point_in_time", known)

    def proceed(self, copy: Copy) -> None:
        """The instance, as large as production's writer."""
        asked = {
            "DBInstanceIdentifier": _instance(copy.name),
            "DBClusterIdentifier": copy.name,
            "DBInstanceClass": self._class(),
            "Engine": copy.ids["engine"],
            "PubliclyAccessible": False,
            "AutoMinorVersionUpgrade": False,
            "Tags": tags.written(copy.name, self._cluster, copy.target_at, copy.expires_at),
        }
        self._calls.order("create_db_instance", asked)

    def address(self, copy: Copy, url: str) -> str:
        return addresses.moved(url, copy.ids["host"], int(copy.ids["port"]))

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        made, source = self._described(copy.name), self._source()
        return [
            same("engine_version", source.get("EngineVersion"), made.get("EngineVersion")),
            same("storage_encrypted", source.get("StorageEncrypted"), made.get("StorageEncrypted")),
        ]

    def delete(self, copy: Copy) -> None:
        """A cluster that still has an instance which stays cannot go."""
        if copy.ids["instance"]:
            asked = {"DBInstanceIdentifier": copy.ids["instance"], "SkipFinalSnapshot": True}
            self._calls.delete("delete_db_instance", asked)
        asked = {"DBClusterIdentifier": copy.name, "SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
        self._calls.delete("delete_db_cluster", asked)

    def _source(self) -> dict[str, Any]:
        return self._described(self._cluster)

    def _described(self, cluster: str) -> dict[str, Any]:
        return self._calls.one("describe_db_clusters", "DBClusters", DBClusterIdentifier=cluster)

    def _class(self) -> str:
        members = self._source().get("DBClusterMembers", [])
        writer = next(one["DBInstanceIdentifier"] for one in members if one.get("IsClusterWriter"))
        shown = self._calls.one("describe_db_instances", "DBInstances", DBInstanceIdentifier=writer)
        return str(shown["DBInstanceClass"])

    def _copy(self, shown: Mapping[str, Any]) -> Copy | None:
        tagged = tags.read(shown.get("TagList", []), self._cluster)
        if tagged is None:
            return None
        found, word, instance = self._state(shown)
        ids = {
            "instance": instance,
            "engine": str(shown.get("Engine", "")),
            "host": str(shown.get("Endpoint", "")),
            "port": str(shown.get("Port", "")),
        }
        return Copy(tagged.name, tagged.target_at, tagged.expires_at, found, word, ids)

    def _state(self, shown: Mapping[str, Any]) -> tuple[State, str, str]:
        """The cluster's state until it is there, then its instance's."""
        status = str(shown.get("Status"))
        members = [str(one["DBInstanceIdentifier"]) for one in shown.get("DBClusterMembers", [])]
        instance = next(iter(members), "")
        if state(status) is not State.READY:
            return state(status), f"cluster {status}", instance
        if not instance:
            return State.HALF, f"cluster {status}, no instance", ""
        member = self._calls.one("describe_db_instances", "DBInstances", DBInstanceIdentifier=instance)
        word = str(member.get("DBInstanceStatus"))
        going = state(word) is State.LEAVING  # the cluster stays until it is told to go
        return State.CREATING if going else state(word), f"instance {word}", instance


def _instance(name: str) -> str:
    return f"{name}-1"


def _limits(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of a serverless cluster: its copy has none of its own, and takes no serverless instance without."""
    return {name: found[name] for name in ("MinCapacity", "MaxCapacity") if name in found} if found else None
