"""How often secrets are rotated (runbook section 5), and what is due: pure functions of ages and `now`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SOON = timedelta(days=14)
"""So long before it is due a secret is said to be due soon."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`grace`: how long old and new overlap unless somebody says otherwise, at most `longest`.
    `archived`: backups hold what it has sealed."""

    cadence: timedelta
    grace: timedelta
    longest: timedelta
    archived: bool = False


_PARTNER = Policy(timedelta(days=90), timedelta(hours=24), timedelta(days=7))
_PLATFORM = timedelta(days=180)

POLICIES: Mapping[str, Policy] = {
    "api_key": _PARTNER,
    "webhook_secret": _PARTNER,
    # a session lives for 30 days at most: nobody is signed out
    "session": Policy(_PLATFORM, timedelta(days=30), timedelta(days=30)),
    # a widget token lives for 10 minutes at most
    "widget": Policy(_PLATFORM, timedelta(hours=1), timedelta(days=7)),
    "webhook_signing": Policy(_PLATFORM, timedelta(hours=24), timedelta(days=7)),
    "data_key": Policy(_PLATFORM, timedelta(hours=24), timedelta(days=30), archived=True),
    "database": Policy(_PLATFORM, timedelta(minutes=10), timedelta(days=7)),
}


PLATFORM_KINDS: Mapping[str, str] = {
    "SESSION_SECRET": "session",
    "INTEGRATION_WIDGET_SIGNING_SECRET": "widget",
    "INTEGRATION_WEBHOOK_SIGNING_SECRET": "webhook_signing",
    "FIRSTUSER_DATA_KEY": "data_key",
    "DATABASE_URL": "database",
}
"""The platform's secrets by their variables."""


@dataclass(frozen=True, slots=True)
class Held:
    """A secret as it stands: its current version, since when, by whom it was made, and its last use.

    `since` None: older than anybody remembers. `users`: who used it in the last 24 hours, in words."""

    name: str
    kind: str
    version: int
    since: datetime | None
    label: str = ""
    last_used_at: datetime | None = None
    made_by: str | None = None
    users: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Dated:
    """`age` None: not known, which counts as due."""

    held: Held
    age: timedelta | None
    due_at: datetime | None

    def due(self, now: datetime) -> bool:
        return self.due_at is None or self.due_at <= now

    def soon(self, now: datetime) -> bool:
        return not self.due(now) and self.due_at is not None and self.due_at - now <= SOON

    @property
    def share(self) -> float:
        """Of its cadence, 1 and more when overdue."""
        return 1.0 if self.age is None else self.age / POLICIES[self.held.kind].cadence


def dated(held: Held, now: datetime) -> Dated:
    if held.since is None:
        return Dated(held, None, None)
    return Dated(held, now - held.since, held.since + POLICIES[held.kind].cadence)


def table(secrets: Sequence[Held], now: datetime) -> list[Dated]:
    """Every secret with its age, the one that is due first before the others."""
    rows = [dated(held, now) for held in secrets]
    return sorted(rows, key=lambda row: (row.due_at is not None, row.due_at or now, row.held.name))


def due(secrets: Sequence[Held], now: datetime) -> list[Dated]:
    return [row for row in table(secrets, now) if row.due(now)]
