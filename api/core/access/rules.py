"""What is decided without a database: places in line, and the integration checklist."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

RANKS_PER_REFERRAL = 10
"""How many places in the order of joining a person moves up for each one who joined by their code."""

MOST_REFERRALS = 50
"""So many referrals move a person up; more are counted and change nothing."""


def rank(ordinal: int, referrals: int) -> int:
    """The place in the order of joining, less what the referrals earned."""
    return ordinal - RANKS_PER_REFERRAL * min(referrals, MOST_REFERRALS)


@dataclass(frozen=True, slots=True)
class ChecklistItem:
    key: str
    title: str
    done: bool
    next_step: str


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """`milestones`: keys of the first real calls that have happened, see `milestones`."""

    has_key: bool
    return_urls: int
    origins: int
    milestones: Collection[str]


_STEPS = (
    ("api_key", "API key created", "Create a key and keep it in the partner's secret store."),
    ("return_url", "Return URL registered", "Register where accepted people land."),
    ("origin", "Origin registered", "Register where the widget is embedded."),
    ("first_call", "First authenticated call", "Call GET /api/integration/v1/me with the key."),
    ("waitlist_start", "First person sent to the waiting list", "POST /waitlist/start for a visitor."),
    (
        "exchange",
        "First access exchanged",
        "POST /access/exchange with the code that an accepted visitor brings.",
    ),
    ("heartbeat", "Live users reported", "POST /heartbeat every 30 seconds while people are in."),
    ("widget_token", "First widget opened", "POST /widget/token for someone with access."),
    ("webhook_test", "Webhook received", "POST /webhooks/test and answer it with 2xx."),
)


def checklist(facts: SetupFacts) -> Sequence[ChecklistItem]:
    """In the order in which a partner gets there."""
    known = {"api_key": facts.has_key, "return_url": facts.return_urls > 0, "origin": facts.origins > 0}
    return [
        ChecklistItem(key, title, known.get(key, key in facts.milestones), next_step)
        for key, title, next_step in _STEPS
    ]
