"""`python pgqueuer_worker.py URL LOAD`: pgqueuer on asyncpg, the driver that it recommends."""

import json
import logging
import sys
from dataclasses import asdict
from time import perf_counter

import asyncpg
import uvloop
from pgqueuer import QueueManager
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

from deployments.bench.webhooks.bare import Load, Result
from deployments.bench.webhooks.peers.posting import ATTEMPTS, RECORD, Poster, Row

BATCH = 500
CONNECTIONS = 16


async def work(url: str, load: Load) -> Result:
    queries = Queries(AsyncpgDriver(await asyncpg.connect(url)))
    await queries.install()
    pool = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
    await pool.execute(ATTEMPTS)

    kept = RECORD.format("$1, $2, $3, $4, $5, $6")

    async def record(row: Row) -> None:
        await pool.execute(kept, *row)

    poster = Poster(record)
    body = b"x" * load.bytes
    payloads = [load.urls[n % len(load.urls)].encode() + b"\n" + body for n in range(load.count)]
    await queries.enqueue(["post"] * load.count, payloads, [0] * load.count)
    manager = QueueManager(queries)

    @manager.entrypoint("post")
    async def post(job: Job) -> None:
        place, _, given = (job.payload or b"").partition(b"\n")
        await poster.post(place.decode(), given, job.id)

    started = perf_counter()
    await manager.run(batch_size=BATCH, mode=QueueExecutionMode.drain)
    return Result(perf_counter() - started, poster.delivered)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    result = uvloop.run(work(sys.argv[1], Load(**json.loads(sys.argv[2]))))
    sys.stdout.write(json.dumps(asdict(result)))
