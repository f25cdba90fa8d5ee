"""A sender whose every attempt is a span, by the message that it carries and without its address."""

from collections.abc import Mapping

from api import tracing
from api.core.webhooks.attempts import Attempt, Sender


class TracedSender:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """Raises what the sender raises."""
        facts = {"firstuser.message_id": headers.get("webhook-id", "")}
        with tracing.span("webhook attempt", facts, "client") as span:
            attempt = await self._sender.post(url, headers, body)
            if span is not None:
                span.set_attribute("http.response.status_code", attempt.status_code or 0)
                span.set_attribute("firstuser.failure", attempt.failure.value if attempt.failure else "")
            return attempt
