"""E-mail by SendGrid's v3 API. In sandbox mode it checks everything and sends nothing."""

import httpx

from api.core.errors import Refused
from api.core.founders import identifiers
from api.core.ports import OutgoingMessage
from api.providers.http import VendorHttp

_SANDBOXED = "sandbox"


class SendGrid:
    name = "sendgrid"

    def __init__(
        self,
        url: str,
        key: str,
        sender: str,
        *,
        sandbox: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`sender` as EMAIL_FROM is written. Raises `Refused` when it is no address."""
        name, address = identifiers.sender(sender)
        self._from = {"email": address.value} | ({"name": name} if name else {})
        self._sandbox = sandbox
        headers = {"Authorization": f"Bearer {key}"}
        self._http = VendorHttp(self.name, url, secrets=[key], headers=headers, transport=transport)

    def send(self, message: OutgoingMessage) -> str:
        """SendGrid's id of the e-mail. Raises `Refused` for another channel, `Unavailable`, `Rejected`,
        `TimedOut`."""
        if message.channel != "email":
            raise Refused(f"SendGrid sends no {message.channel}.")
        answer = self._http.call("send", "POST", "/v3/mail/send", json=self._document(message))
        return _SANDBOXED if self._sandbox else answer.headers.get("X-Message-Id", "")

    def _document(self, message: OutgoingMessage) -> dict[str, object]:
        sandbox = {"mail_settings": {"sandbox_mode": {"enable": True}}} if self._sandbox else {}
        return {
            "personalizations": [{"to": [{"email": message.to}]}],
            "from": self._from,
            "subject": message.subject,
            "content": [{"type": "text/plain", "value": message.body}],
            **sandbox,
        }
