"""Live users against rows of presence: as many live ones among ever more who left."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from statistics import median

import psycopg

from api.core.presence import service
from api.db import migrate
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.growth.slopes import Growth, Point
from deployments.bench.measures import seconds
from deployments.bench.webhooks.ground import create

ROWS = (10_000, 100_000, 1_000_000)
LIVE = 500
WINDOW_S = 3600
_PLACE = """
SET session_replication_role = replica;
INSERT INTO founders (id, name, phone_cipher, phone_index) VALUES ('fdr_bench', 'Bench', '', '');
INSERT INTO spaces (id, slug, name, owner_id) VALUES ('spc_bench', 'bench', 'Bench', 'fdr_bench');
INSERT INTO integrations (id, space_id, name) VALUES ('int_bench', 'spc_bench', 'Bench')"""
_ROWS = """
INSERT INTO presence SELECT 'int_bench', 'u' || n,
    CASE WHEN n %% (%(rows)s / %(live)s) = 0 THEN now() ELSE now() - interval '1 day' END, 'live'
FROM generate_series(1, %(rows)s) n"""


def measure(cluster: Cluster, rows: tuple[int, ...], rounds: int, say: Callable[[str], None]) -> list[Growth]:
    places = {count: _laid(cluster, count) for count in rows}
    say(f"{LIVE} live among {', '.join(f'{count:,}' for count in rows)} rows of presence")
    found: dict[int, list[float]] = {count: [] for count in rows}
    for _ in range(rounds):
        for count, connection in places.items():
            found[count].append(median(seconds(partial(_look, connection)) for _ in range(20)))
    for connection in places.values():
        connection.close()
    points = [Point(count, median(runs), runs) for count, runs in found.items()]
    return [Growth("live users", "rows of presence", points, flat=True)]


def _look(connection: psycopg.Connection) -> None:
    page = service.live(connection, ["int_bench"], datetime.now(UTC), WINDOW_S)
    if page.count != LIVE:
        raise AssertionError(f"{page.count} live users instead of {LIVE}")


def _laid(cluster: Cluster, rows: int) -> psycopg.Connection:
    database = f"bench_presence_{rows}_{os.getpid()}"
    create(cluster, database)
    migrate.upgrade(cluster.dsn(roles.OWNER, database))
    with psycopg.connect(cluster.dsn(roles.ADMIN, database), autocommit=True) as admin:
        admin.execute(_PLACE)
        admin.execute(_ROWS, {"rows": rows, "live": LIVE})
        while service.leave_silently(admin, datetime.now(UTC), WINDOW_S):
            pass
        admin.execute("VACUUM (ANALYZE) presence")
        admin.execute("CHECKPOINT")
    return psycopg.connect(cluster.dsn(roles.APP, database), autocommit=True)
