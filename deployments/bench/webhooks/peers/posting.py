"""The work of one job: the signed POST, and its attempt on record, as a founder wants to look it up."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from api.core.webhooks.signing import Signer, generate
from api.providers.webhooks.curl import CurlSender

ATTEMPTS = """create table attempts (
    job bigint not null, url text not null, status integer, latency_ms integer not null, failure text,
    response text not null, at timestamptz not null default now())"""
RECORD = "insert into attempts (job, url, status, latency_ms, failure, response) values ({})"
Row = tuple[int, str, int | None, int, str | None, str]
Record = Callable[[Row], Awaitable[object]]


class Poster:
    """Belongs to the loop that it is first used on. Without `record`, the queue is its own history."""

    def __init__(self, record: Record | None = None) -> None:
        self._sender = CurlSender(loopback_allowed=True)
        self._signer = Signer([generate()])
        self._record = record
        self.delivered = 0

    async def post(self, url: str, body: bytes, job: int = 0) -> None:
        sent = self._signer.headers(f"msg_{uuid4().hex}", datetime.now(UTC), body)
        attempt = await self._sender.post(url, sent, body)
        if self._record is not None:
            failure = attempt.failure and str(attempt.failure)
            await self._record((job, url, attempt.status_code, attempt.latency_ms, failure, attempt.excerpt))
        self.delivered += attempt.delivered
