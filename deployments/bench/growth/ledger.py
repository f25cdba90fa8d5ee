"""Evidence against the length of one stream: to verify every record, to verify for a page, to append."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from statistics import median

import psycopg

from api.core.evidence import service
from api.core.evidence.chain import GENESIS, record_hash
from api.core.evidence.signing import RECORD, SigningKey, sign_with
from api.db import migrate
from api.db.engine import Engine, Session, make_engine, session_scope
from api.providers.databases.embedded import roles
from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.growth.slopes import Growth, Point
from deployments.bench.measures import seconds
from deployments.bench.webhooks.ground import create

LENGTHS = (1_000, 4_000, 16_000)
STREAM = "drills"
_BODY = {"rto_seconds": 12.5, "checks": [{"name": f"check {n}", "status": "pass"} for n in range(8)]}
_COPY = (
    "COPY ops.evidence (id, stream, seq, kind, recorded_at, body, previous_hash, hash, key_id, signature)"
    " FROM STDIN"
)


class Undone(Exception):
    """Ends a transaction whose work is to leave nothing."""


def measure(
    cluster: Cluster, lengths: tuple[int, ...], rounds: int, say: Callable[[str], None]
) -> list[Growth]:
    key = SigningKey(b"\x07" * 32)
    engines = {length: _laid(cluster, length, key) for length in lengths}
    say(f"streams of {', '.join(f'{length:,}' for length in lengths)} records are laid")
    acts: dict[str, Callable[[Engine], float]] = {
        "verify all evidence": lambda engine: seconds(lambda: _audit(engine, key)),
        "verify a stream for a page": lambda engine: seconds(lambda: _verify(engine)),
        "append evidence": _append,
    }
    found: dict[str, dict[int, list[float]]] = {name: {length: [] for length in lengths} for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            for length, engine in engines.items():
                found[name][length].append(act(engine))
    for engine in engines.values():
        engine.dispose()
    return [
        Growth(
            name,
            "records",
            [Point(length, median(runs), runs) for length, runs in taken.items()],
            flat=name == "append evidence",
        )
        for name, taken in found.items()
    ]


def _audit(engine: Engine, key: SigningKey) -> None:
    with session_scope(engine) as session:
        report = service.audit(session, [key.id])
    if not report.whole:
        raise AssertionError(str(report.every_fault()[0]))


def _verify(engine: Engine) -> None:
    with session_scope(engine) as session:
        if fault := service.verify(session, STREAM):
            raise AssertionError(fault)


def _append(engine: Engine) -> float:
    """Median of twenty, taken back, so that the stream keeps its length."""
    taken: list[float] = []
    with suppress(Undone), session_scope(engine) as session:
        taken += [seconds(lambda: _one(session)) for _ in range(20)]
        raise Undone
    return median(taken)


def _one(session: Session) -> None:
    service.append(session, STREAM, "drill", _BODY, datetime.now(UTC))


def _laid(cluster: Cluster, length: int, key: SigningKey) -> Engine:
    """A ledger of its own with a stream of that length, as its writers would have made it."""
    database = f"bench_ledger_{length}_{os.getpid()}"
    create(cluster, database)
    migrate.upgrade(cluster.dsn(roles.OWNER, database))
    engine = make_engine(cluster.dsn(roles.OWNER, database))
    sign_with(engine, lambda: key)
    with session_scope(engine) as session:
        _one(session)
        (first,) = service.records(session, STREAM)
    with psycopg.connect(cluster.dsn(roles.ADMIN, database), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM ops.evidence WHERE stream = %s", (STREAM,))
        with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            previous = GENESIS
            for seq in range(1, length + 1):
                at = first.recorded_at + timedelta(seconds=seq)
                id = f"evd_{seq:08d}"
                digest = record_hash(
                    id=id,
                    stream=STREAM,
                    seq=seq,
                    kind="drill",
                    recorded_at=at,
                    body=_BODY,
                    previous=previous,
                )
                signature = key.sign(RECORD, digest.encode())
                row = (id, STREAM, seq, "drill", at, json.dumps(_BODY), previous, digest, key.id, signature)
                copy.write_row(row)
                previous = digest
        connection.execute("VACUUM (ANALYZE) ops.evidence")
    return engine
