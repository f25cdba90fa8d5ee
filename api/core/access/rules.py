"""The integration checklist: what a partner has done and what is left, decided without a database."""

from collections.abc import Sequence
from dataclasses import dataclass


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


def checklist(facts: SetupFacts) -> Sequence[ChecklistItem]:
    """In the order in which a partner gets there."""
    return (
        ChecklistItem(
            "api_key",
            "API key in the partner's secret store",
            facts.has_key,
            "Create a key and store it there.",
        ),
        ChecklistItem(
            "return_url",
            "Return URL registered",
            facts.return_urls > 0,
            "Register where accepted people land.",
        ),
        ChecklistItem(
            "origin", "Origin registered", facts.origins > 0, "Register where the widget is embedded."
        ),
        ChecklistItem(
            "first_call",
            "First authenticated call",
            facts.called,
            "Call GET /api/integration/v1/me with the key.",
        ),
        ChecklistItem(
            "entry", "First person on the waiting list", facts.entries > 0, "Start the waiting list."
        ),
        ChecklistItem(
            "grant", "First access granted", facts.grants > 0, "Accept someone from the waiting list."
        ),
        ChecklistItem(
            "heartbeat", "Live users reported", facts.live > 0, "Send heartbeats while people are in."
        ),
    )
