"""The archive does not fall behind, also in the minutes in which the server's own timer sleeps."""

import psycopg

from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.pace import ArchivePace


def commit_something(cluster: Cluster) -> None:
    with psycopg.connect(cluster.dsn("admin"), autocommit=True) as connection:
        connection.execute("SELECT pg_current_xact_id()")


def test_a_segment_that_is_too_old_is_sent_and_a_fresh_one_is_left_alone(cluster: Cluster) -> None:
    commit_something(cluster)
    assert ArchivePace(cluster, limit_s=0).keep()
    assert not ArchivePace(cluster, limit_s=3600).keep()
