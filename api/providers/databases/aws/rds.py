"""RDS for PostgreSQL: a copy is an instance of its own, restored from production's backups to a moment.

It gets production's network, security groups and parameters, or nobody would reach it and its settings would
differ; it is never public and never protected from deletion.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.core.ports import BackupPolicy, ProviderFact
from api.providers.databases.aws import tags
from api.providers.databases.aws.calls import Calls, state
from api.providers.databases.managed import addresses
from api.providers.databases.managed.vendor import Copy, Window


class Rds:
    name = "rds"
    picks_moment = False

    def __init__(self, client: Any, instance: str) -> None:
        """`client` of boto3; `instance`: production's."""
        self._calls = Calls(self.name, client)
        self._instance = instance

    def window(self, now: datetime) -> Window | None:
        source = self._source()
        latest: datetime | None = source.get("LatestRestorableTime")
        days = source.get("BackupRetentionPeriod", 0)
        if latest is None or not days:
            return None
        created: datetime = source.get("InstanceCreateTime", latest)
        return Window(self._instance, max(created, now - timedelta(days=days)), latest)

    def policy(self, now: datetime) -> BackupPolicy:
        source = self._source()
        days, latest = source.get("BackupRetentionPeriod", 0), source.get("LatestRestorableTime")
        note = "" if days else f"The instance {self._instance} keeps no automated backups."
        return BackupPolicy(bool(days) and latest is not None, float(days), latest, note)

    def copies(self) -> Sequence[Copy]:
        shown = self._calls.every("describe_db_instances", "DBInstances")
        return [copy for one in shown if (copy := self._copy(one)) is not None]

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        source = self._source()
        parameters = source.get("DBParameterGroups") or [{}]
        asked = {
            "SourceDBInstanceIdentifier": self._instance,
            "TargetDBInstanceIdentifier": name,
            "RestoreTime": at,
            "DBInstanceClass": source.get("DBInstanceClass"),
            "DBSubnetGroupName": source.get("DBSubnetGroup", {}).get("DBSubnetGroupName"),
            "VpcSecurityGroupIds": [
                group["VpcSecurityGroupId"] for group in source.get("VpcSecurityGroups", [])
            ],
            "DBParameterGroupName": parameters[0].get("DBParameterGroupName"),
            "MultiAZ": False,
            "PubliclyAccessible": False,
            "AutoMinorVersionUpgrade": False,
            "DeletionProtection": False,
            "Tags": tags.written(name, self._instance, at, expires_at),
        }
        known = {key: value for key, value in asked.items() if value not in (None, [])}
        self._calls.order("restore_db_instance_to_point_in_time", known)

    def proceed(self, copy: Copy) -> None:
        """An instance is made in one step."""

    def address(self, copy: Copy, url: str) -> str:
        return addresses.moved(url, copy.ids["host"], int(copy.ids["port"]))

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        made, source = self._described(copy.ids["instance"]), self._source()
        return [
            same("engine_version", source.get("EngineVersion"), made.get("EngineVersion")),
            same("storage_encrypted", source.get("StorageEncrypted"), made.get("StorageEncrypted")),
            same("publicly_accessible", False, made.get("PubliclyAccessible")),
        ]

    def delete(self, copy: Copy) -> None:
        asked = {"DBInstanceIdentifier": copy.ids["instance"], "SkipFinalSnapshot": True}
        self._calls.delete("delete_db_instance", {**asked, "DeleteAutomatedBackups": True})

    def _source(self) -> dict[str, Any]:
        return self._described(self._instance)

    def _described(self, instance: str) -> dict[str, Any]:
        return self._calls.one("describe_db_instances", "DBInstances", DBInstanceIdentifier=instance)

    def _copy(self, shown: Mapping[str, Any]) -> Copy | None:
        tagged = tags.read(shown.get("TagList", []), self._instance)
        if tagged is None:
            return None
        status, endpoint = str(shown.get("DBInstanceStatus")), shown.get("Endpoint", {})
        ids = {
            "instance": str(shown["DBInstanceIdentifier"]),
            "host": str(endpoint.get("Address", "")),
            "port": str(endpoint.get("Port", "")),
        }
        return Copy(tagged.name, tagged.target_at, tagged.expires_at, state(status), status, ids)


def same(name: str, expected: object, observed: object) -> ProviderFact:
    """The copy is as production is, or as it has to be."""
    fix = "Look at the copy in the RDS console; a copy that differs proves less."
    return ProviderFact(
        name, expected == observed, str(expected), str(observed), "" if expected == observed else fix
    )
