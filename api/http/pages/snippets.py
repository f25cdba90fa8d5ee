"""What a partner copies into its own product, in two languages, with its own addresses already in it."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from api.core.access.models import Integration
from api.http.pages.rendering import text

LANGUAGES = (("python", "Python", "py"), ("javascript", "JavaScript", "js"))
_TOPICS = (
    ("waitlist_start", "Send someone to the waiting list", "They come back to your return URL with a code."),
    (
        "exchange",
        "Exchange the code for access",
        "A code works once, for five minutes, and only for you.",
    ),
    ("heartbeat", "Say who is in, every 30 seconds", "A user is live for 90 seconds after the last beat."),
    (
        "widget",
        "Show the chat",
        "Your back end mints a token, good for ten minutes; your page mounts the chat.",
    ),
    ("webhook", "Check a webhook before you believe it", "Over the raw body, and each id only once."),
)


@dataclass(frozen=True, slots=True)
class Code:
    language: str
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Snippet:
    key: str
    title: str
    note: str
    codes: Sequence[Code]


def of(base_url: str, integration: Integration) -> Sequence[Snippet]:
    """In the order in which a partner needs them."""
    given = {
        "base_url": base_url,
        "return_url": _first(integration.return_urls, "https://app.example.com/welcome"),
        "origin": _first(integration.origins, "https://app.example.com"),
    }
    return [
        Snippet(
            key,
            title,
            note,
            [Code(name, label, text(f"snippets/{key}.{end}.txt", given)) for name, label, end in LANGUAGES],
        )
        for key, title, note in _TOPICS
    ]


def verify_key(base_url: str, integration: Integration, key: str) -> str:
    """One line for a shell that starts a waiting list visit with the key (runbook section 5)."""
    body = {
        "mode": "redirect",
        "external_user_id": "rotation-check",
        "return_url": _first(integration.return_urls, "https://app.example.com/welcome"),
        "state": "rotation-check",
    }
    return " ".join(
        [
            "curl -sS -X POST",
            shlex.quote(f"{base_url}/api/integration/v1/waitlist/start"),
            "-H",
            shlex.quote(f"Authorization: Bearer {key}"),
            "-H 'Content-Type: application/json' -d",
            shlex.quote(json.dumps(body)),
        ]
    )


def _first(registered: Sequence[str], otherwise: str) -> str:
    return registered[0] if registered else otherwise
