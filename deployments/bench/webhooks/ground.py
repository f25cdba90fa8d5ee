"""The ground of the webhook benches: a migrated database, endpoints with secrets, and a backlog that is due.

Rows are made by the server itself (generate_series).
"""

import base64
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from api.core.crypto import Vault, data_keys
from api.core.webhooks import secrets
from api.db import migrate
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster

DATA_KEY = base64.b64encode(b"a data key for benches, 32 bytes").decode()
BODY_BYTES = 1024

_PLACES = """
insert into founders (id, name, phone_cipher, phone_index) values ('fdr_bench', 'Bench', '', '');
insert into spaces (id, slug, name, owner_id) values ('spc_bench', 'bench', 'Bench', 'fdr_bench')"""
_INTEGRATIONS = """
insert into integrations (id, space_id, name, webhook_url)
select 'int_' || lpad(n::text, 5, '0'), 'spc_bench', 'Bench ' || n, url
from unnest(%s::text[]) with ordinality as given(url, n)"""
_FAST = """
with fast as (update webhook_endpoints set rate = 1e9, concurrency = %s returning id)
update webhook_lanes set tokens = 2e9 from fast where endpoint_id = fast.id"""
_CLEAR = "truncate webhook_deliveries, webhook_messages, webhook_attempts"
_BACKLOG = """
with m as (
    insert into webhook_messages (integration_id, type, body)
    select e.integration_id, 'webhook.test',
           convert_to(rpad('{"number":' || n || ',"padding":"', %(bytes)s - 2, 'x') || '"}', 'UTF8')
    from generate_series(1, %(each)s) as n cross join webhook_endpoints as e
    returning id, integration_id
)
insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at)
select m.id, e.id, now() - interval '1 hour' + row_number() over () * interval '1 microsecond'
from m join webhook_endpoints as e using (integration_id)"""


_WAL_NOW = "select pg_current_wal_insert_lsn()::text"
_WAL_SINCE = """
select sum(record_size), sum(fpi_size) from pg_get_wal_stats(%s::pg_lsn, pg_current_wal_insert_lsn())"""


@dataclass(slots=True)
class Wal:
    """Bytes: of the records themselves, and of the images of whole pages."""

    records: float = 0.0
    images: float = 0.0


@dataclass(frozen=True, slots=True)
class Ground:
    cluster: Cluster
    database: str

    @property
    def url(self) -> str:
        return self.cluster.dsn(roles.OWNER, self.database)

    @contextmanager
    def admin(self) -> Generator[psycopg.Connection[Any]]:
        with psycopg.connect(self.cluster.dsn(roles.ADMIN, self.database), autocommit=True) as connection:
            yield connection

    def settle(self) -> None:
        """Statistics and visibility as autovacuum would leave them; nothing left to write out."""
        with self.admin() as connection:
            connection.execute("vacuum analyze webhook_deliveries, webhook_messages, webhook_endpoints")
            connection.execute("checkpoint")

    @contextmanager
    def wal_of(self, deliveries: int) -> Generator["Wal"]:
        """What is written while the block runs, per delivery; known at its end."""
        found = Wal()
        with self.admin() as connection:
            connection.execute("create extension if not exists pg_walinspect")
            before = connection.execute(_WAL_NOW).fetchone()
        yield found
        with self.admin() as connection:
            row = connection.execute(_WAL_SINCE, before).fetchone()
        if row:
            found.records, found.images = float(row[0]) / deliveries, float(row[1]) / deliveries

    def backlog(self, each: int) -> None:
        """Nothing but `each` deliveries due to every endpoint, of 1 KB."""
        with self.admin() as connection:
            connection.execute(_CLEAR)
            connection.execute(_BACKLOG, {"each": each, "bytes": BODY_BYTES})
        self.settle()


def lay(cluster: Cluster, database: str, urls: Sequence[str], concurrency: int = 8) -> Ground:
    """A migrated database of its own with an endpoint for each of the URLs, rates out of the way."""
    create(cluster, database)
    made = Ground(cluster, database)
    migrate.upgrade(made.url)
    with made.admin() as connection:
        connection.execute(_PLACES)
        connection.execute(_INTEGRATIONS, (list(urls),))
        connection.execute(_FAST, (concurrency,))
    engine, vault = make_engine(made.url), Vault(data_keys(DATA_KEY))
    with session_scope(engine) as session:
        for number in range(1, len(urls) + 1):
            integration = f"int_{number:05d}"
            secrets.rotate(session, vault, integration, timedelta(0), datetime.now(UTC), "bench")
    engine.dispose()
    return made


def create(cluster: Cluster, database: str) -> None:
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as connection:
        name, owner = sql.Identifier(database), sql.Identifier(roles.OWNER)
        connection.execute(sql.SQL("create database {} owner {}").format(name, owner))
    with psycopg.connect(cluster.dsn(roles.ADMIN, database)) as connection:
        roles.ensure_privileges(connection, database)
