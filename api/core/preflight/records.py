"""The values of a preflight. Moments aware and in UTC, durations in seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

FIRST_LOOK = 1


class State(StrEnum):
    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"  # the check itself could not be carried out
    SKIP = "skip"  # what it builds on did not hold: `blocked_by`
    INCONCLUSIVE = "inconclusive"  # it ran and proves nothing either way
    STALE = "stale"  # it held, and is too old by now
    WAIVED = "waived"


HOLDS = frozenset({State.PASS, State.WARN, State.WAIVED})
"""What a GO may be made of; what a dependent check may build on."""


class Role(StrEnum):
    INCIDENT = "incident"
    ROLLBACK = "rollback"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the catalogue. `group` is its number in the runbook's list; `after` names the checks that
    it builds on; `fresh_for`: how long its result may be believed; `attempts` and `wait_s` of its retries."""

    name: str
    group: int
    title: str
    expected: str
    fix: str
    runbook: str
    owner: Role = Role.RELEASE
    after: Sequence[str] = ()
    timeout_s: float = 15.0
    attempts: int = FIRST_LOOK
    wait_s: float = 1.0
    fresh_for: timedelta = timedelta(hours=1)
    waivable: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A step inside a check that is seen on its own."""

    name: str
    state: State
    expected: str
    observed: str
    fix: str = ""
    seconds: float = 0.0
    blocked_by: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        fields: dict[str, Any] = {**stored, "state": State(stored["state"])}
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found. Empty `expected` and `fix` mean those of the catalogue; `expires_at` shortens the
    check's own freshness; `evidence` names the record that it rests on."""

    state: State
    observed: str
    expected: str = ""
    fix: str = ""
    expires_at: datetime | None = None
    evidence: str = ""
    parts: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A check as it came out. `evidence` is the record that it rests on, its own record is the run's."""

    name: str
    group: int
    title: str
    state: State
    expected: str
    observed: str
    observed_at: datetime
    expires_at: datetime
    attempts: int = FIRST_LOOK
    seconds: float = 0.0
    owner: str = Role.RELEASE.value
    fix: str = ""
    runbook: str = ""
    blocked_by: str = ""
    waived_by: str = ""
    evidence: str = ""
    parts: Sequence[Part] = ()

    @property
    def holds(self) -> bool:
        return self.state in HOLDS

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        plain["observed_at"], plain["expires_at"] = self.observed_at.isoformat(), self.expires_at.isoformat()
        return plain

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        fields: dict[str, Any] = {
            **stored,
            "state": State(stored["state"]),
            "observed_at": datetime.fromisoformat(stored["observed_at"]),
            "expires_at": datetime.fromisoformat(stored["expires_at"]),
            "parts": tuple(Part.from_json(part) for part in stored["parts"]),
        }
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Target:
    """What is judged: where production and staging answer, and whose database and hosting they are."""

    production_url: str
    staging_url: str
    database_provider: str
    hosting_provider: str


@dataclass(frozen=True, slots=True)
class Binding:
    """What a GO is about. `facts` stands for what it rests on: owners, waivers, the newest drill and
    rehearsal. Any other value is another launch."""

    release: str
    configuration: str
    facts: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """`approver` is None until a second person has agreed."""

    id: str
    check: str
    reason: str
    requester: str
    approver: str | None
    requested_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        agreed = self.approver is not None and self.approver != self.requester
        return agreed and self.ended_at is None and now < self.expires_at

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        for name in ("requested_at", "expires_at", "ended_at"):
            plain[name] = plain[name].isoformat() if plain[name] else None
        return plain


class Verdict(StrEnum):
    GO = "go"
    WARNINGS = "go_with_warnings"
    NO_GO = "no_go"


@dataclass(frozen=True, slots=True)
class Decision:
    """`expires_at`: when the first thing that it rests on is too old; None for a NO-GO."""

    verdict: Verdict
    headline: str
    reasons: Sequence[str]
    next_step: str
    expires_at: datetime | None
    results: Sequence[Result] = field(default_factory=tuple[Result, ...])
