"""A rotation as everything outside this package sees it: frozen, and without sealed values but by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from api.core.rotation import steps
from api.core.rotation.models import RotationRow, SecretVersionRow
from api.core.rotation.steps import Mode, Standing, State, Step, Wait


@dataclass(frozen=True, slots=True)
class RotationView:
    """`handover` and `witness` are sealed with `id` as their row."""

    id: str
    name: str
    kind: str
    mode: Mode
    state: State
    step: Step
    from_version: int
    to_version: int
    grace: timedelta
    asked_by: str
    reason: str
    flow_run_id: str | None
    problem: str
    detail: Mapping[str, Any]
    proofs: Sequence[Mapping[str, Any]]
    handover: bytes | None
    witness: bytes | None
    handed_over_at: datetime | None
    told_at: datetime | None
    proven_at: datetime | None
    overlap_until: datetime | None
    retired_at: datetime | None
    started_at: datetime
    step_at: datetime
    ended_at: datetime | None

    def __repr__(self) -> str:
        return f"RotationView({self.id}, {self.name}, {self.step}, {self.state})"

    @property
    def standing(self) -> Standing:
        unseen = self.handover is not None and self.handed_over_at is None
        told = self.told_at is not None
        return Standing(self.state, self.step, self.mode, unseen, told, self.overlap_until, self.kept_until)

    @property
    def kept_until(self) -> datetime | None:
        """Backups need the old one until then, at least."""
        known = self.detail.get("kept_until")
        return datetime.fromisoformat(known) if known else None

    @property
    def rests_until(self) -> datetime | None:
        moments = [one for one in (self.overlap_until, self.kept_until) if one]
        return max(moments, default=None)

    def waits(self, now: datetime) -> Wait | None:
        return steps.waits(self.standing, now)

    def phase(self, now: datetime) -> str:
        """One word for people: the step, or that it rests, or how it ended."""
        if self.state is not State.RUNNING:
            return self.state.value
        return "overlap" if self.waits(now) in {Wait.GRACE, Wait.KEPT} else self.step.value

    def to_json(self, now: datetime) -> dict[str, Any]:
        """For `--json` and evidence: no value, sealed or not."""
        moments = ("started_at", "proven_at", "handed_over_at", "overlap_until", "kept_until", "retired_at")
        wait = self.waits(now) if self.state is State.RUNNING else None
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "mode": self.mode.value,
            "state": self.state.value,
            "step": self.step.value,
            "phase": self.phase(now),
            "waits_for": wait.value if wait else None,
            "from_version": self.from_version,
            "to_version": self.to_version,
            "grace_seconds": self.grace.total_seconds(),
            "asked_by": self.asked_by,
            "reason": self.reason,
            "flow_run_id": self.flow_run_id,
            "problem": self.problem,
            "detail": dict(self.detail),
            "proofs": [dict(proof) for proof in self.proofs],
            **{name: _iso(getattr(self, name)) for name in (*moments, "ended_at")},
        }


@dataclass(frozen=True, slots=True)
class VersionView:
    name: str
    version: int
    kind: str
    reference: str
    stage: str
    made_by: str
    minted_at: datetime
    current_at: datetime | None
    retired_at: datetime | None


def view(row: RotationRow) -> RotationView:
    return RotationView(
        id=row.id,
        name=row.name,
        kind=row.kind,
        mode=Mode(row.mode),
        state=State(row.state),
        step=Step(row.step),
        from_version=row.from_version,
        to_version=row.to_version,
        grace=timedelta(seconds=row.grace_seconds),
        asked_by=row.asked_by,
        reason=row.reason,
        flow_run_id=row.flow_run_id,
        problem=row.problem,
        detail=dict(row.detail),
        proofs=list(row.proofs),
        handover=row.handover,
        witness=row.witness,
        handed_over_at=row.handed_over_at,
        told_at=row.told_at,
        proven_at=row.proven_at,
        overlap_until=row.overlap_until,
        retired_at=row.retired_at,
        started_at=row.started_at,
        step_at=row.step_at,
        ended_at=row.ended_at,
    )


def version_view(row: SecretVersionRow) -> VersionView:
    names = VersionView.__dataclass_fields__
    return VersionView(**{name: getattr(row, name) for name in names})


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
