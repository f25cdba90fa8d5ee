"""E-mail by SendGrid's v3 API. In sandbox mode it checks everything and sends nothing."""

from collections.abc import Sequence
from typing import Any

import httpx

from api.core.errors import Refused, Rejected
from api.core.founders import identifiers
from api.core.ports import OutgoingMessage, Permission
from api.providers.access import tried
from api.providers.http import VendorHttp

_SANDBOXED, _SCOPE = "sandbox", "mail.send"


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

    def check_access(self) -> Sequence[Permission]:
        return [
            tried("read its own scopes", self._scopes, lambda found: f"{len(found)} scopes"),
            tried("send (scope mail.send)", self._may_send, lambda said: said),
        ]

    def _may_send(self) -> str:
        if _SCOPE not in self._scopes():
            fix = f"Make a restricted key with Mail Send, which is the scope {_SCOPE}, and nothing else."
            raise self._http.error(Rejected, "read scopes", f"does not give the key {_SCOPE}", fix)
        return _SCOPE

    def _scopes(self) -> list[str]:
        found = self._http.json("read scopes", self._http.call("read scopes", "GET", "/v3/scopes"))
        scopes: Any = found.get("scopes")
        return scopes if isinstance(scopes, list) else []

    def _document(self, message: OutgoingMessage) -> dict[str, object]:
        sandbox = {"mail_settings": {"sandbox_mode": {"enable": True}}} if self._sandbox else {}
        return {
            "personalizations": [{"to": [{"email": message.to}]}],
            "from": self._from,
            "subject": message.subject,
            "content": [{"type": "text/plain", "value": message.body}],
            **sandbox,
        }
