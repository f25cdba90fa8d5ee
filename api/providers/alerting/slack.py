"""Slack's incoming webhooks. They answer `ok` and no id: nothing sent can be read back or changed."""

from collections.abc import Sequence
from typing import Any

import httpx

from api.core.alerts.messages import AlertMessage
from api.core.ports import Permission
from api.providers.alerting.posting import Posting

HEADER, SECTION, FIELD = 150, 3000, 2000
BLOCKS, FIELDS = 50, 10
TEXT = 4000
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


class Slack:
    kind = "slack"

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._http = Posting(self.kind, url, transport)

    @property
    def fingerprint(self) -> str:
        return self._http.fingerprint

    def send(self, message: AlertMessage) -> str:
        self._http.call("send", "POST", self._http.url, json=_document(message))
        return ""

    def read_back(self, sent_id: str) -> bool | None:
        return None

    def check_access(self) -> Sequence[Permission]:
        return [Permission("post", None, "nothing short of a message shows it: `firstuser alerts test`")]


def _document(message: AlertMessage) -> dict[str, Any]:
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": _one(message.headline, HEADER)}}]
    fields = [
        {"type": "mrkdwn", "text": f"*{_one(name, 100)}*\n{_one(value, FIELD - 200)}"}
        for name, value in message.metadata.items()
    ]
    facts = [
        {"type": "section", "fields": fields[start : start + FIELDS]}
        for start in range(0, len(fields), FIELDS)
    ]
    links = [f"Runbook: {_escaped(message.runbook)}"] if message.runbook else []
    links += [f"<{message.ack_url}|Acknowledge>"] if message.ack_url else []
    last = [_section("\n".join(links))] if links else []
    room = BLOCKS - len(blocks) - len(facts) - len(last)
    said = [_section(piece) for piece in _pieces(message.message, SECTION)][: max(room, 0)]
    return {
        "text": _one(f"{message.headline}: {message.message}", TEXT),
        "blocks": [*blocks, *said, *facts, *last][:BLOCKS],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def _one(text: str, limit: int) -> str:
    """The beginning that fits, escaped; never empty and never cut within an escape."""
    pieces = _pieces(text, limit - 1)
    return pieces[0] + "…" if len(pieces) > 1 else pieces[0]


def _pieces(text: str, limit: int) -> list[str]:
    pieces, current = list[str](), ""
    for letter in text:
        escaped = _ESCAPES.get(letter, letter)
        if len(current) + len(escaped) > limit:
            pieces.append(current)
            current = ""
        current += escaped
    return [*pieces, current] if current else ["–"]
