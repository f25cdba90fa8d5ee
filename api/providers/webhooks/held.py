"""Staging over a restored copy: its partners are real and must hear nothing."""

from collections.abc import Mapping

from api.core.webhooks.attempts import Attempt, Failure


class Held:
    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        return Attempt(Failure.HELD, detail="This service runs on a restored copy and sends nothing.")
