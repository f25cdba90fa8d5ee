"""What is decided without a database: places in line, and the integration checklist."""

from collections.abc import Sequence
from dataclasses import dataclass

RANKS_PER_REFERRAL = 10
"""How many places in the order of joining a person moves up for each one who joined by their code."""


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    key: str
    title: str
    done: bool
    next_step: str


@dataclass(frozen=True, slots=True)
class SetupFacts:
    has_key: bool
    return_urls: int
    origins: int
    called: bool
    entries: int
    grants: int
    live: int


_STEPS = (
    ("api_key", "API key created", "Create a key and keep it in the partner's secret store."),
    ("return_url", "Return URL registered", "Register where accepted people land."),
    ("origin", "Origin registered", "Register where the widget is embedded."),
    ("first_call", "First authenticated call", "Call GET /api/integration/v1/me with the key."),
    ("entry", "First person on the waiting list", "Send someone to the waiting list."),
    ("grant", "First access granted", "Accept someone from the waiting list."),
    ("heartbeat", "Live users reported", "Send heartbeats while people are in."),
)


def checklist(facts: SetupFacts) -> Sequence[ChecklistItem]:
    """In the order in which a partner gets there."""
    done = (
        facts.has_key,
        facts.return_urls > 0,
        facts.origins > 0,
        facts.called,
        facts.entries > 0,
        facts.grants > 0,
        facts.live > 0,
    )
    return [
        ChecklistItem(key, title, ready, next_step)
        for (key, title, next_step), ready in zip(_STEPS, done, strict=True)
    ]
