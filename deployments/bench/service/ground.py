"""The ground of the service benches: a database with people who hold grants, people who wait, and codes.

Rows are made by the server itself (generate_series): 2 million of each in about a minute.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from api.core.keys import service as keys
from api.db import migrate
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster

INTEGRATIONS = 8


# Without what would check and count each row: what it counts is written once, at the end.
_QUICKLY = """
set session_replication_role = replica; set synchronous_commit = off; set maintenance_work_mem = '512MB'"""
_INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
where indrelid = any('{entries,grants,access_codes}'::regclass[])
  and not exists (select from pg_constraint where conindid = indexrelid)"""
_PLACES = """
insert into founders (id, name, phone_cipher, phone_index) values ('fdr_bench', 'Bench', '', '');
insert into spaces (id, slug, name, owner_id) values ('spc_bench', 'bench', 'Bench', 'fdr_bench');
insert into integrations (id, space_id, name)
select 'int_' || n, 'spc_bench', 'Bench ' || n from generate_series(0, {integrations} - 1) as n"""
_WAITING = """
insert into entries (id, space_id, integration_id, external_user_id, user_id, ordinal, rank, referral_code)
select 'wle_w' || n, 'spc_bench', 'int_' || n % {integrations}, 'w' || n, 'usr_w' || n, n, n, 'w' || n
from generate_series(1, {people}) as n;
insert into waitlist_blocks
select space_id, status, rank >> 12, count(*) from entries group by 1, 2, 3;
insert into waitlist_counters values ('spc_bench', {people} + {codes})"""
_GRANTED = """
insert into grants (id, integration_id, entry_id, external_user_id)
select 'grt_u' || n, 'int_' || n % {integrations}, 'wle_w' || n, 'u' || n
from generate_series(1, {people}) as n;
insert into presence
select 'int_' || n % {integrations}, 'u' || n, now() - interval '1 day', 'left'
from generate_series(1, {people}) as n"""
_CODES = """
insert into entries (id, space_id, integration_id, external_user_id, user_id, ordinal, rank, referral_code,
                     status)
select 'wle_c' || n, 'spc_bench', 'int_' || n % {integrations}, 'c' || n, 'usr_c' || n, n + {people},
       n + {people}, 'c' || n, 'accepted'
from generate_series(1, {codes}) as n;
insert into access_codes (code_sha256, entry_id, integration_id, return_url, expires_at)
select sha256(('laid-' || n)::bytea), 'wle_c' || n, 'int_' || n % {integrations},
       'https://partner.example/back', now() + interval '1 day'
from generate_series(1, {codes}) as n"""
# New names: what a server still does for the run before finds none of them.
_UNUSED = """
update access_codes set used_at = null, used_key = null, grant_id = null,
    code_sha256 = sha256(('{name}' || substr(entry_id, 6))::bytea);
delete from grants where external_user_id like 'c%'"""


@dataclass(frozen=True, slots=True)
class Ground:
    """`people` wait and as many hold a grant; `codes` get names by `renew`; one API key an integration."""

    database: str
    url: str
    people: int
    codes: int
    api_keys: Sequence[str]

    def user(self, number: int) -> str:
        return f"u{number % self.people + 1}"

    def integration_of(self, number: int) -> int:
        """The number of the integration that user or code `number` belongs to."""
        return number % INTEGRATIONS


def quiet(cluster: Cluster) -> None:
    """Archiving is another bench's business."""
    with psycopg.connect(cluster.dsn(roles.ADMIN), autocommit=True) as connection:
        connection.execute("alter system set archive_command = '/bin/true'")
        connection.execute("alter system set max_wal_size = '8GB'")
        connection.execute("select pg_reload_conf()")


def lay(cluster: Cluster, database: str, people: int, codes: int) -> Ground:
    """A migrated database of its own, filled."""
    _create(cluster, database)
    url = cluster.dsn(roles.OWNER, database)
    migrate.upgrade(url)
    numbers = {"integrations": INTEGRATIONS, "people": people, "codes": codes}
    with psycopg.connect(cluster.dsn(roles.ADMIN, database), autocommit=True) as connection:
        connection.execute(_QUICKLY)
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}".encode())
        for statements in (_PLACES, _WAITING, _GRANTED, _CODES):
            connection.execute(statements.format(**numbers).encode())
        for _, definition in indexes:
            connection.execute(str(definition).encode())
        settle(connection)
    engine = make_engine(url)
    with session_scope(engine) as session:
        now = datetime.now(UTC)
        made = [keys.mint(session, f"int_{n}", now)[1] for n in range(INTEGRATIONS)]
    engine.dispose()
    return Ground(database, url, people, codes, made)


def settle(connection: psycopg.Connection) -> None:
    """Statistics and visibility as autovacuum would leave them; nothing left to write out."""
    connection.execute("vacuum analyze")
    connection.execute("checkpoint")


def renew(cluster: Cluster, made: Ground) -> str:
    """Every code unused again: each round begins as the first one did. Codes are named by what this returns
    and their number, from 1 on."""
    name = f"code-{secrets.token_hex(4)}-"
    with psycopg.connect(cluster.dsn(roles.ADMIN, made.database), autocommit=True) as connection:
        connection.execute(_QUICKLY)
        connection.execute(_UNUSED.format(name=name).encode())
        connection.execute("vacuum (analyze) access_codes, grants, presence")
        connection.execute("checkpoint")
    return name


def _create(cluster: Cluster, database: str) -> None:
    with psycopg.connect(cluster.dsn(roles.ADMIN, "postgres"), autocommit=True) as connection:
        name, owner = sql.Identifier(database), sql.Identifier(roles.OWNER)
        connection.execute(sql.SQL("create database {} owner {}").format(name, owner))
    with psycopg.connect(cluster.dsn(roles.ADMIN, database)) as connection:
        roles.ensure_privileges(connection, database)


__all__ = ["INTEGRATIONS", "Ground", "lay", "quiet", "renew", "settle"]
