"""One POST by the dispatcher's sender, with a connection of its own: a test event, a proof."""

from collections.abc import Mapping

from api.core.webhooks.attempts import Attempt
from api.providers.webhooks.curl import CurlSender


class Alone:
    def __init__(self, *, loopback_allowed: bool) -> None:
        self._loopback_allowed = loopback_allowed

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        sender = CurlSender(loopback_allowed=self._loopback_allowed)
        try:
            return await sender.post(url, headers, body)
        finally:
            sender.close()
