"""Production's logins on the server that `Lent` lends: they end there when a copy is opened."""

from collections.abc import Generator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from api.providers.databases.copy_login import COPY
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.logins import Logins
from api.providers.databases.managed import addresses

GROUP, LOGIN = "shop", "shop_a"
PASSWORD = "of the day: before 5% of it / @ were rotated"


@contextmanager
def production(cluster: Cluster) -> Generator[dict[str, str]]:
    """Production's URL as `app` and as `admin`, after a rotation, as if it were another place."""
    elsewhere = cluster.dsn("admin").replace("127.0.0.1", "localhost")
    with psycopg.connect(cluster.dsn("admin"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(GROUP)))
        admin.execute("GRANT CONNECT ON DATABASE firstuser TO shop")
        Logins(admin).allow(LOGIN, GROUP, PASSWORD)
        try:
            yield {"app": addresses.with_login(elsewhere, LOGIN, PASSWORD), "admin": elsewhere}
        finally:
            admin.execute("REVOKE CONNECT ON DATABASE firstuser FROM shop")
            for role in (COPY, LOGIN, GROUP):
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
