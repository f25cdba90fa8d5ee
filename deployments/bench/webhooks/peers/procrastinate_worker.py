"""`python procrastinate_worker.py URL LOAD`."""

import json
import logging
import sys
from dataclasses import asdict
from time import perf_counter

import uvloop
from procrastinate import App, JobContext, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from deployments.bench.webhooks.bare import Load, Result
from deployments.bench.webhooks.peers.posting import ATTEMPTS, RECORD, Poster, Row

CONNECTIONS = 16


async def work(url: str, load: Load) -> Result:
    app = App(connector=PsycopgConnector(conninfo=url, max_size=CONNECTIONS))
    pool = AsyncConnectionPool(url, min_size=CONNECTIONS, open=False, kwargs={"autocommit": True})

    kept = RECORD.format("%s, %s, %s, %s, %s, %s")

    async def record(row: Row) -> None:
        async with pool.connection() as connection:
            await connection.execute(kept, row, prepare=True)

    poster = Poster(record)

    @app.task(name="post", pass_context=True)
    async def post(context: JobContext, place: str, body: str) -> None:
        await poster.post(place, body.encode(), context.job.id or 0)

    async with app.open_async(), pool:
        async with pool.connection() as connection:
            await connection.execute(ATTEMPTS)
        await app.schema_manager.apply_schema_async()
        body = "x" * load.bytes
        jobs = [{"place": load.urls[n % len(load.urls)], "body": body} for n in range(load.count)]
        await post.batch_defer_async(*jobs)
        started = perf_counter()
        await app.run_worker_async(
            concurrency=load.in_flight, wait=False, listen_notify=False, install_signal_handlers=False
        )
        return Result(perf_counter() - started, poster.delivered)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    result = uvloop.run(work(sys.argv[1], Load(**json.loads(sys.argv[2]))))
    sys.stdout.write(json.dumps(asdict(result)))
