"""The same client sending the same signed POSTs with no database: `python -m …bare JSON` (a `Load`).

Prints its result as JSON.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import perf_counter
from uuid import uuid4

import uvloop

from api.core.webhooks.signing import Signer, generate
from api.providers.webhooks.curl import CurlSender


@dataclass(frozen=True, slots=True)
class Load:
    urls: Sequence[str]
    count: int
    bytes: int
    in_flight: int = 64


@dataclass(frozen=True, slots=True)
class Result:
    seconds: float
    delivered: int


async def send(load: Load) -> Result:
    sender, signer = CurlSender(loopback_allowed=True), Signer([generate()])
    body = b"x" * load.bytes
    urls = iter([load.urls[number % len(load.urls)] for number in range(load.count)])

    async def lane(mine: Iterator[str]) -> int:
        delivered = 0
        for url in mine:
            sent = signer.headers(f"msg_{uuid4().hex}", datetime.now(UTC), body)
            delivered += (await sender.post(url, sent, body)).delivered
        return delivered

    started = perf_counter()
    delivered = sum(await asyncio.gather(*(lane(urls) for _ in range(load.in_flight))))
    return Result(perf_counter() - started, delivered)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(uvloop.run(send(Load(**json.loads(sys.argv[1])))))))
