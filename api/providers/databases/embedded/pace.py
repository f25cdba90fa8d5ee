"""Keeps the archive at most a minute behind, also when the server itself does not.

`archive_timeout` is the checkpointer's business, and a checkpointer that was started while the server was
still recovering sleeps through its first `checkpoint_timeout` (5 minutes): after every start, with little
traffic, nothing would be archived for that long. So the newest segment's age is watched from outside.
"""

import psycopg

from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.configuration import ARCHIVE_TIMEOUT_SECONDS

SLACK_SECONDS = 5

_SWITCH = """
SELECT pg_switch_wal() FROM pg_stat_archiver
 WHERE clock_timestamp() - greatest(last_archived_time, pg_postmaster_start_time())
       > make_interval(secs => %s)
   AND coalesce(last_failed_time <= last_archived_time, true)
"""


class ArchivePace:
    def __init__(self, cluster: Cluster, limit_s: float = ARCHIVE_TIMEOUT_SECONDS + SLACK_SECONDS) -> None:
        self._cluster = cluster
        self._limit_s = limit_s

    def keep(self) -> bool:
        """Force the current segment out when the newest archived one is too old; True when it was.

        A failing archive is left alone: more segments would only fill the disk. Raises psycopg.Error."""
        dsn = self._cluster.dsn("backup")
        with psycopg.connect(dsn, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(_SWITCH, (self._limit_s,)).fetchone() is not None
