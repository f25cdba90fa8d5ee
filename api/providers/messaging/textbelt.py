"""SMS by Textbelt. It answers 200 whatever happened, knows no idempotency, and so is asked exactly once.

A key that ends in `_test` is answered as if sent: nothing is sent, nothing is charged."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import structlog

from api.core.errors import Refused, Rejected
from api.core.ports import OutgoingMessage, Permission
from api.providers.access import tried
from api.providers.http import VendorHttp

_QUOTA_LOW = 20
_TEST = "_test"
_NOBODY = "+15555550100"  # kept free for examples
_log = structlog.get_logger("api.textbelt")


class Textbelt:
    name = "textbelt"

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = VendorHttp(self.name, url, secrets=[key], transport=transport)
        self._key = key

    def send(self, message: OutgoingMessage) -> str:
        """Textbelt's id of the text. Raises `Refused` for another channel, `Unavailable`, `Rejected`,
        `TimedOut`."""
        if message.channel != "sms":
            raise Refused(f"Textbelt sends no {message.channel}.")
        fields = {"phone": message.to, "message": message.body, "key": self._key}
        answer = self._answered(fields)
        left = answer.get("quotaRemaining")
        if isinstance(left, int) and left < _QUOTA_LOW:
            _log.warning("little quota left", remaining=left)
        return str(answer.get("textId", ""))

    def check_access(self) -> Sequence[Permission]:
        """By a text that is not sent: asking for the quota would put the key into an address."""
        key = self._key if self._key.endswith(_TEST) else f"{self._key}{_TEST}"
        fields = {"phone": _NOBODY, "message": "FirstUser checks its key.", "key": key}
        what, left = "send (a test text, which is not sent)", "texts left"
        return [tried(what, lambda: self._answered(fields), lambda a: f"{a.get('quotaRemaining')} {left}")]

    def _answered(self, fields: Mapping[str, str]) -> dict[str, Any]:
        answer = self._http.json("send", self._http.call("send", "POST", "/text", data=fields))
        if answer.get("success") is not True:
            said = str(answer.get("error", "no reason given"))
            fix = "Buy quota at textbelt.com." if "quota" in said.lower() else ""
            raise self._http.error(Rejected, "send", f"refused: {said}", fix)
        return answer
