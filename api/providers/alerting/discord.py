"""Discord's webhooks. `wait=true` makes it answer with the message, which can be read back and edited."""

from collections.abc import Sequence
from typing import Any

import httpx
import structlog

from api.core.alerts.messages import AlertMessage
from api.core.alerts.rules import Kind
from api.core.errors import ProviderError
from api.core.ports import Permission
from api.providers.access import tried
from api.providers.alerting.posting import Posting

TITLE, DESCRIPTION, FIELDS, NAME, VALUE = 256, 4096, 25, 256, 1024
EMBED = 6000
"""All texts of an embed together."""
COLOURS = {"critical": 0xC62828, "error": 0xEF6C00, "warning": 0xF9A825, "info": 0x1565C0}
_RESOLVED_COLOUR = 0x2E7D32
_MARKUP = frozenset("\\*_~`|[]<>")
_log = structlog.get_logger("alerts.discord")


class Discord:
    kind = "discord"

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = Posting(self.kind, url, transport)

    @property
    def fingerprint(self) -> str:
        return self._http.fingerprint

    def send(self, message: AlertMessage) -> str:
        """The message's id. A resolution also changes the message that it ends, where there is one."""
        url = self._http.url.copy_merge_params({"wait": "true"})
        answer = self._http.call("send", "POST", url, json=_document(message))
        if message.kind is Kind.RESOLVED and message.earlier:
            self._edit(message)
        found: Any = answer.json() if answer.content else {}
        return str(found.get("id", "")) if isinstance(found, dict) else ""

    def read_back(self, sent_id: str) -> bool | None:
        if not sent_id:
            return None
        return self._http.ask("read back", "GET", self._of(sent_id)).is_success

    def check_access(self) -> Sequence[Permission]:
        return [tried("post (the webhook is there)", self._described, lambda said: said)]

    def _described(self) -> str:
        self._http.call("read webhook", "GET", self._http.url)
        return "it is there"

    def _edit(self, message: AlertMessage) -> None:
        """The new message says it already: a failure here is not the alert's."""
        try:
            self._http.call("edit", "PATCH", self._of(message.earlier), json=_document(message))
        except ProviderError as error:
            _log.warning("the earlier message was not edited", error=error.message)

    def _of(self, message_id: str) -> httpx.URL:
        url = self._http.url
        return url.copy_with(path=f"{url.path.rstrip('/')}/messages/{message_id}")


def _document(message: AlertMessage) -> dict[str, Any]:
    links = {"Runbook": message.runbook, "Acknowledge": message.ack_url}
    fields: list[dict[str, Any]] = [
        {"name": _cut(_plain(name), NAME), "value": _cut(_plain(value), VALUE), "inline": True}
        for name, value in message.metadata.items()
    ][: FIELDS - len(links)]
    fields += [
        {"name": name, "value": _cut(value, VALUE), "inline": False} for name, value in links.items() if value
    ]
    title = _cut(_plain(message.headline), TITLE)
    room = EMBED - len(title)
    kept = list[dict[str, Any]]()
    for field in reversed(fields):  # the links at the end matter most
        size = len(field["name"]) + len(field["value"])
        if size <= room - VALUE:
            kept.insert(0, field)
            room -= size
    embed = {
        "title": title,
        "description": _cut(_plain(message.message), min(DESCRIPTION, room)),
        "color": _RESOLVED_COLOUR if message.kind is Kind.RESOLVED else COLOURS.get(message.severity, 0),
        "timestamp": message.at.isoformat(),
        "fields": kept,
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _plain(text: str) -> str:
    """Without markup: no link says other than where it leads."""
    return "".join(f"\\{letter}" if letter in _MARKUP else letter for letter in text)


def _cut(text: str, limit: int) -> str:
    text = text or "–"
    return text if len(text) <= limit else text[: limit - 2].rstrip("\\") + "…"
