"""The work of one job."""

from datetime import UTC, datetime
from uuid import uuid4

from api.core.webhooks import signing
from api.providers.webhooks.curl import CurlSender


class Poster:
    """Belongs to the loop that it is first used on."""

    def __init__(self) -> None:
        self._sender = CurlSender(loopback_allowed=True)
        self._key = signing.generate()
        self.delivered = 0

    async def post(self, url: str, body: bytes) -> None:
        sent = signing.headers([self._key], f"msg_{uuid4().hex}", datetime.now(UTC), body)
        attempt = await self._sender.post(url, sent, body)
        self.delivered += attempt.delivered
