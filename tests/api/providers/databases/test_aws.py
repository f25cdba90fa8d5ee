"""RDS and Aurora against AWS's own models: moto for the shapes, scripts of answers for what is asked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from moto import mock_aws

from api.core.errors import Unavailable
from api.providers.databases.aws.aurora import Aurora
from api.providers.databases.aws.rds import Rds
from api.providers.databases.managed.vendor import Copy, State

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
EXPIRES = AT + timedelta(hours=2)
SOURCE = {
    "DBInstanceIdentifier": "production",
    "DBInstanceClass": "db.m7g.large",
    "DBSubnetGroup": {"DBSubnetGroupName": "private"},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
    "DBParameterGroups": [{"DBParameterGroupName": "firstuser-18"}],
}


CLUSTER = {
    "DBClusterIdentifier": "production",
    "DBSubnetGroup": "private",
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
    "DBClusterParameterGroup": "firstuser-aurora-18",
    "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8, "SecondsUntilAutoPause": 300},
    "DBClusterMembers": [
        {"DBInstanceIdentifier": "reader", "IsClusterWriter": False},
        {"DBInstanceIdentifier": "writer", "IsClusterWriter": True},
    ],
}


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "rds", region_name="eu-central-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )


@pytest.fixture
def moto(client: Any) -> Iterator[Any]:
    with mock_aws():
        yield client


def copy(state: State = State.READY, instance: str = "drill-1") -> Copy:
    return Copy("drill-1", AT, EXPIRES, state, state, {"instance": instance, "engine": "aurora-postgresql"})


def test_an_instance_is_restored_found_by_its_tags_and_deleted_in_moto(moto: Any) -> None:
    moto.create_db_instance(
        DBInstanceIdentifier="production",
        DBInstanceClass="db.m7g.large",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="firstuser",
        MasterUserPassword="of-no-importance",
        BackupRetentionPeriod=14,
    )
    rds = Rds(moto, "production")
    assert rds.policy(AT).retention_days == 14
    rds.create("drill-1", AT, EXPIRES)
    rds.create("drill-1", AT, EXPIRES)
    (found,) = rds.copies()
    assert (found.name, found.target_at, found.expires_at) == ("drill-1", AT, EXPIRES)
    assert found.ids["instance"] == "drill-1" and found.ids["host"]
    shown = moto.describe_db_instances(DBInstanceIdentifier="drill-1")["DBInstances"][0]
    assert shown["DeletionProtection"] is False
    assert Rds(moto, "another").copies() == []
    rds.delete(found)
    rds.delete(found)
    assert [one for one in rds.copies() if one.state is not State.LEAVING] == []


def test_a_restore_asks_for_all_that_makes_the_copy_reachable_and_removable(client: Any) -> None:
    with Stubber(client) as script:
        script.add_response("describe_db_instances", {"DBInstances": [SOURCE]})
        script.add_response(
            "restore_db_instance_to_point_in_time",
            {},
            {
                "SourceDBInstanceIdentifier": "production",
                "TargetDBInstanceIdentifier": "drill-1",
                "RestoreTime": AT,
                "DBInstanceClass": "db.m7g.large",
                "DBSubnetGroupName": "private",
                "VpcSecurityGroupIds": ["sg-1"],
                "DBParameterGroupName": "firstuser-18",
                "MultiAZ": False,
                "PubliclyAccessible": False,
                "AutoMinorVersionUpgrade": False,
                "DeletionProtection": False,
                "Tags": ANY,
            },
        )
        Rds(client, "production").create("drill-1", AT, EXPIRES)
        script.assert_no_pending_responses()


def test_an_aurora_copy_is_reachable_and_removable_and_its_instance_as_the_writer_and_private(
    client: Any,
) -> None:
    with Stubber(client) as script:
        script.add_response("describe_db_clusters", {"DBClusters": [CLUSTER]})
        script.add_response(
            "restore_db_cluster_to_point_in_time",
            {},
            {
                "DBClusterIdentifier": "drill-1",
                "SourceDBClusterIdentifier": "production",
                "RestoreToTime": AT,
                "DBSubnetGroupName": "private",
                "VpcSecurityGroupIds": ["sg-1"],
                "DBClusterParameterGroupName": "firstuser-aurora-18",
                "DeletionProtection": False,
                "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 8},
                "Tags": ANY,
            },
        )
        script.add_response("describe_db_clusters", {"DBClusters": [CLUSTER]})
        writer = {"DBInstanceIdentifier": "writer"}
        script.add_response(
            "describe_db_instances", {"DBInstances": [{"DBInstanceClass": "db.serverless"}]}, writer
        )
        script.add_response(
            "create_db_instance",
            {},
            {
                "DBInstanceIdentifier": "drill-1-1",
                "DBClusterIdentifier": "drill-1",
                "DBInstanceClass": "db.serverless",
                "Engine": "aurora-postgresql",
                "PubliclyAccessible": False,
                "AutoMinorVersionUpgrade": False,
                "Tags": ANY,
            },
        )
        aurora = Aurora(client, "production")
        aurora.create("drill-1", AT, EXPIRES)
        aurora.proceed(copy(State.HALF))
        script.assert_no_pending_responses()


def test_a_delete_leaves_neither_snapshot_nor_backups_and_waits_for_one_that_is_made(client: Any) -> None:
    rds = Rds(client, "production")
    asked = {"DBInstanceIdentifier": "drill-1", "SkipFinalSnapshot": True, "DeleteAutomatedBackups": True}
    with Stubber(client) as script:
        script.add_client_error("delete_db_instance", "InvalidDBInstanceState", expected_params=asked)
        script.add_response("delete_db_instance", {}, asked)
        script.add_client_error("delete_db_instance", "DBInstanceNotFound", expected_params=asked)
        with pytest.raises(Unavailable):
            rds.delete(copy())
        rds.delete(copy())
        rds.delete(copy())


def test_an_aurora_instance_goes_before_its_cluster(client: Any) -> None:
    with Stubber(client) as script:
        instance = {"DBInstanceIdentifier": "drill-1-1", "SkipFinalSnapshot": True}
        script.add_client_error("delete_db_instance", "DBInstanceNotFound", expected_params=instance)
        cluster = {"DBClusterIdentifier": "drill-1", "SkipFinalSnapshot": True}
        script.add_response("delete_db_cluster", {}, cluster | {"DeleteAutomatedBackups": True})
        Aurora(client, "production").delete(copy(instance="drill-1-1"))
        script.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("creating", State.CREATING),
        ("configuring-enhanced-monitoring", State.CREATING),
        ("modifying", State.CREATING),
        ("backing-up", State.READY),
        ("available", State.READY),
        ("incompatible-restore", State.FAILED),
        ("deleting", State.LEAVING),
    ],
)
def test_every_word_of_rds_is_a_state(client: Any, status: str, state: State) -> None:
    tags = {"firstuser:drill": "drill-1", "firstuser:source": "production"}
    times = {"firstuser:restored-to": AT.isoformat(), "firstuser:expires-at": EXPIRES.isoformat()}
    listed = [{"Key": key, "Value": value} for key, value in (tags | times).items()]
    shown = {"DBInstanceIdentifier": "drill-1", "DBInstanceStatus": status, "TagList": listed}
    with Stubber(client) as script:
        script.add_response("describe_db_instances", {"DBInstances": [SOURCE, shown]})
        (found,) = Rds(client, "production").copies()
    assert found.state is state
