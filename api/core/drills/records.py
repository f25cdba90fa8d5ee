"""The values of a drill. Durations in seconds, moments aware and in UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self


class DrillStatus(StrEnum):
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"  # it ran to its end and the answer is no: a check or a target was missed
    ERROR = "error"  # it could not run to its end


class CheckStatus(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    SKIP = "skip"
    ERROR = "error"  # the check itself could not be carried out; counts as a failure


class Phase(StrEnum):
    """The parts of the RTO, in order, and what follows it."""

    LOCATE = "locate"
    FETCH = "fetch"
    REPLAY = "replay"
    PROMOTE = "promote"
    POINT = "point"
    VERIFY = "verify"
    TEARDOWN = "teardown"


RTO_PHASES = (Phase.LOCATE, Phase.FETCH, Phase.REPLAY, Phase.PROMOTE, Phase.POINT, Phase.VERIFY)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was expected, what was observed, and what to do when they differ."""

    name: str
    status: CheckStatus
    expected: str
    observed: str
    fix: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return self.status in {CheckStatus.PASS, CheckStatus.SKIP}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        fields: dict[str, Any] = {**stored, "status": CheckStatus(stored["status"])}
        return cls(**fields)


def check(name: str, ok: bool, expected: object, observed: object, fix: str = "") -> CheckResult:
    """A passed or failed check; the fix is only said where it is needed."""
    status = CheckStatus.PASS if ok else CheckStatus.FAIL
    return CheckResult(name, status, str(expected), str(observed), "" if ok else fix)


@dataclass(frozen=True, slots=True)
class Beacon:
    """A canary row: the source wrote down when and where in its WAL it was, and a sample of what it held.

    `snapshot` is the transaction snapshot of that moment; a restored copy can tell from it which of its
    rows the source already had.
    """

    id: int
    at: datetime
    lsn: str
    snapshot: str
    sample: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Row counts and digests of the chosen tables under `snapshot`, and facts of the cluster.

    `tables` maps a table to `{"rows": n, "digest": text}`, with `since` where it is not covered whole;
    `facts` holds roles, extensions, migration head.
    """

    id: int
    at: datetime
    snapshot: str
    tables: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DrillSummary:
    """One row of `ops.drills`, as pages, reports and the command line read it."""

    id: str
    status: DrillStatus
    phase: str
    trigger: str
    target_time: datetime | None
    rto_seconds: float | None
    rto_parts: Mapping[str, float]
    rpo_seconds: float | None
    rpo_parts: Mapping[str, float]
    rto_target: float
    rpo_target: float
    started_at: datetime
    finished_at: datetime | None
    flow_run_id: str | None
    checks: Sequence[CheckResult]
    issues: Sequence[str]
    next_step: str
    evidence_id: str | None
    database_name: str | None
    keep_until: datetime | None

    def to_json(self) -> dict[str, Any]:
        """What `firstuser drill --json` prints."""
        return {
            "id": self.id,
            "status": self.status.value,
            "target_time": self.target_time.isoformat() if self.target_time else None,
            "rto_seconds": self.rto_seconds,
            "rto_parts": dict(self.rto_parts),
            "rpo_seconds": self.rpo_seconds,
            "rpo_parts": dict(self.rpo_parts),
            "checks": [result.to_json() for result in self.checks],
            "issues": list(self.issues),
            "next_step": self.next_step,
            "evidence_id": self.evidence_id,
            "flow_run_id": self.flow_run_id,
        }
