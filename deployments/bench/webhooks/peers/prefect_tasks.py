"""`python -m …prefect_tasks LOAD` with `PREFECT_API_URL` in its environment: a flow run with a task for each
delivery."""

import asyncio
import json
import sys
from dataclasses import asdict
from time import perf_counter

import httpx
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.settings import PREFECT_API_URL

from deployments.bench.webhooks.bare import Load, Result
from deployments.bench.webhooks.peers.posting import Poster


@task(persist_result=False, cache_policy=NO_CACHE)
async def post(poster: Poster, url: str, body: bytes) -> None:
    await poster.post(url, body)


@flow(persist_result=False, log_prints=False)
async def deliver(load: Load) -> Result:
    poster, body = Poster(), b"x" * load.bytes
    lanes = asyncio.Semaphore(load.in_flight)

    async def one(number: int) -> None:
        async with lanes:
            await post(poster, load.urls[number % len(load.urls)], body)

    started = perf_counter()
    await asyncio.gather(*(one(number) for number in range(load.count)))
    await recorded(load.count)
    return Result(perf_counter() - started, poster.delivered)


async def recorded(count: int) -> None:
    """Prefect's client reports from the background: until the server knows what every task came to."""
    asked = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    async with httpx.AsyncClient() as client:
        while (await client.post(f"{PREFECT_API_URL.value()}/task_runs/count", json=asked)).json() < count:
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    result = asyncio.run(deliver(Load(**json.loads(sys.argv[1]))))
    sys.stdout.write(f"\n{json.dumps(asdict(result))}\n")
