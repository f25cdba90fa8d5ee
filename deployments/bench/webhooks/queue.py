"""How long a claim takes on little and on much: queued deliveries, past attempts, and rows that are gone but
kept from being cleared away by somebody's snapshot.

Claims are `claiming.claim` as the dispatcher makes it, of 500; what they took is settled before the next one,
outside of the time. Messages are short: their size is no part of it.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from time import perf_counter

import psycopg
from sqlalchemy import Engine

from api.core.crypto import Vault, data_keys
from api.core.webhooks import claiming, settling
from api.core.webhooks.attempts import Attempt
from api.core.webhooks.claiming import Claimed
from api.core.webhooks.schedule import decide
from api.core.webhooks.settling import Tried
from api.core.webhooks.standing import database_now
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.measures import Measurement
from deployments.bench.webhooks import ground
from deployments.bench.webhooks.ground import Ground

Say = Callable[[str], None]
_DELIVERED = Attempt(None, 200, 12, "ok", "192.0.2.1")
_QUICKLY = "set synchronous_commit = off; set maintenance_work_mem = '512MB'"
_INDEXES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
where indrelid = any('{webhook_messages,webhook_deliveries}'::regclass[])"""
_UNKEYED = """
alter table webhook_messages drop constraint pk_webhook_messages;
alter table webhook_deliveries drop constraint pk_webhook_deliveries"""
_QUEUED = """
create temporary table made as
select uuidv7() as id, uuidv7() as message_id, e.id as endpoint_id, e.integration_id, n
from generate_series(1, {queued}) as n
join (select row_number() over (order by id) - 1 as place, * from webhook_endpoints) as e
  on e.place = n % {endpoints};
insert into webhook_messages (id, integration_id, type, body)
select message_id, integration_id, 'webhook.test', '{{}}' from made;
insert into webhook_deliveries (id, message_id, endpoint_id, next_attempt_at)
select id, message_id, endpoint_id, now() - interval '1 hour' + n * interval '100 microseconds' from made;
drop table made"""
_KEYED = """
alter table webhook_messages add constraint pk_webhook_messages primary key (id);
alter table webhook_deliveries add constraint pk_webhook_deliveries primary key (id)"""
_PAST = """
drop index ix_webhook_attempts_endpoint_id;
insert into webhook_attempts (delivery_id, message_id, endpoint_id, number, outcome, at, latency_ms, status,
                              address, response)
select uuidv7(), uuidv7(), e.id, 1, 'delivered', now() - interval '1 day', 12, 200, '192.0.2.1', 'ok'
from generate_series(1, {past}) as n
join (select row_number() over (order by id) - 1 as place, id from webhook_endpoints) as e
  on e.place = n % {endpoints};
create index ix_webhook_attempts_endpoint_id on webhook_attempts (endpoint_id, delivery_id)"""


@dataclass(frozen=True, slots=True)
class Depth:
    """`churned` deliveries come and go while a snapshot is held; `claims` in each of `rounds`."""

    few: int = 1_000_000
    many: int = 5_000_000
    past: int = 10_000_000
    endpoints: int = 1_000
    churned: int = 50_000
    claims: int = 25
    rounds: int = 3


class Claimer:
    """Goes round the endpoints of one database."""

    def __init__(self, made: Ground) -> None:
        self._engine: Engine = make_engine(made.url)
        self._vault = Vault(data_keys(ground.DATA_KEY))
        self._behind = ""
        self.taken = 0

    def close(self) -> None:
        self._engine.dispose()

    def claim(self) -> float:
        """Seconds."""
        started = perf_counter()
        with session_scope(self._engine) as session:
            now = database_now(session)
            claimed = claiming.claim(session, self._vault, now, lambda _id: True, None, self._behind)
        taken = perf_counter() - started
        self._settle(claimed, now)
        return taken

    def churn(self, count: int) -> None:
        until = self.taken + count
        while self.taken < until:
            self.claim()

    def _settle(self, claimed: Sequence[Claimed], now: datetime) -> None:
        self._behind = claimed[-1].endpoint.id
        self.taken += len(claimed)
        tried = [Tried(one, now, _DELIVERED, decide(_DELIVERED, 0, now, now, 0.5)) for one in claimed]
        with session_scope(self._engine) as session:
            settling.settle(session, tried, now)


def measure(cluster: Cluster, depth: Depth, say: Say) -> list[Measurement]:
    few = _laid(cluster, "bench_few", depth, depth.few, 0, say)
    many = _laid(cluster, "bench_many", depth, depth.many, 0, say)
    past = _laid(cluster, "bench_past", depth, depth.few, depth.past, say)
    claimers = {"few": Claimer(few), "many": Claimer(many), "past": Claimer(past)}
    found: dict[str, list[float]] = {name: [] for name in (*claimers, "held")}
    for claimer in claimers.values():
        claimer.churn(depth.churned // 10)
    for _ in range(depth.rounds):
        for _ in range(depth.claims):
            for name, claimer in claimers.items():
                found[name].append(claimer.claim())
    for _ in range(depth.rounds):
        with _snapshot(many):
            claimers["many"].churn(depth.churned)
            found["held"] += [claimers["many"].claim() for _ in range(depth.claims)]
        _vacuum(many)
        found["many"] += [claimers["many"].claim() for _ in range(depth.claims)]
    for claimer in claimers.values():
        claimer.close()
    p50 = {name: median(values) * 1e3 for name, values in found.items()}
    say(", ".join(f"{name} {value:.2f} ms" for name, value in p50.items()))
    return [
        Measurement(
            f"claim with {depth.many:,} queued", p50["many"], p50["few"], f"{depth.few:,}", 1.15, "ms"
        ),
        Measurement(
            f"claim after {depth.churned:,} more under a held snapshot",
            p50["held"],
            p50["many"],
            "free",
            1.5,
            "ms",
        ),
        Measurement(f"claim with {depth.past:,} past attempts", p50["past"], p50["few"], "none", 1.15, "ms"),
    ]


def _laid(cluster: Cluster, database: str, depth: Depth, queued: int, past: int, say: Say) -> Ground:
    started = perf_counter()
    urls = [f"http://127.0.0.1:9/{number}" for number in range(depth.endpoints)]
    made = ground.lay(cluster, database, urls)
    numbers = {"queued": queued, "past": past, "endpoints": depth.endpoints}
    with made.admin() as connection:
        connection.execute(_QUICKLY)
        connection.execute(_UNKEYED)
        indexes = connection.execute(_INDEXES).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}".encode())
        for statements in (_QUEUED, _KEYED, *([_PAST] if past else [])):
            connection.execute(statements.format(**numbers).encode())
        for _, definition in indexes:
            connection.execute(str(definition).encode())
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
    say(f"{queued:,} queued and {past:,} past after {perf_counter() - started:.0f} s")
    return made


@contextmanager
def _snapshot(made: Ground) -> Generator[None]:
    """A backup or a long report: nothing that goes meanwhile can be cleared away."""
    with psycopg.connect(made.cluster.dsn(roles.ADMIN, made.database)) as connection:
        connection.execute("set transaction isolation level repeatable read")
        connection.execute("select count(*) from webhook_endpoints")
        yield


def _vacuum(made: Ground) -> None:
    with made.admin() as connection:
        connection.execute("vacuum webhook_deliveries, webhook_lanes, webhook_endpoints")
        connection.execute("checkpoint")
