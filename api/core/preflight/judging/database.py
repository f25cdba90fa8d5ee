"""3: PITR, the newest restorable moment, and the drill whose evidence verifies again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from api.core.ports import BackupPolicy
from api.core.preflight.catalogue import DRILL_FRESH, RETENTION_DAYS
from api.core.preflight.judging import verdict
from api.core.preflight.judging.freshness import from_the_future
from api.core.preflight.records import Finding, State

FAR_BEHIND = 5
"""From so many RPO targets on the newest restorable moment is a failure, before that a warning."""


@dataclass(frozen=True, slots=True)
class DrillProof:
    """The newest drill that passed. `recorded`: its row and its evidence record say the same;
    `chain_fault` is where the ledger breaks."""

    id: str
    finished_at: datetime
    rto_seconds: float
    rpo_seconds: float
    evidence: str
    recorded: bool
    chain_fault: str


def pitr(policy: BackupPolicy) -> Finding:
    wrong: list[str] = []
    if not policy.pitr_enabled:
        wrong.append(f"point-in-time recovery is off. {policy.note}".strip())
    if policy.retention_days < RETENTION_DAYS:
        wrong.append(f"backups are kept for {policy.retention_days:g} days")
    return verdict(wrong, f"on, kept for {policy.retention_days:g} days")


def wal(policy: BackupPolicy, rpo_target_s: float, now: datetime) -> Finding:
    if policy.latest_restorable is None:
        return Finding(State.FAIL, "nothing can be restored")
    if odd := from_the_future(policy.latest_restorable, now):
        return Finding(State.FAIL, odd)
    age = (now - policy.latest_restorable).total_seconds()
    said = f"{age:.0f} s ago; the RPO target is {rpo_target_s:.0f} s"
    if age > FAR_BEHIND * rpo_target_s:
        return Finding(State.FAIL, said)
    return Finding(State.WARN if age > rpo_target_s else State.PASS, said)


def drill(found: DrillProof | None, now: datetime) -> Finding:
    if found is None:
        return Finding(State.FAIL, "no drill has passed yet")
    age = now - found.finished_at
    wrong: list[str] = []
    if age > DRILL_FRESH:
        wrong.append(f"the last one that passed was {age / timedelta(days=1):.1f} days ago")
    if odd := from_the_future(found.finished_at, now):
        wrong.append(odd)
    if found.chain_fault:
        wrong.append(f"the evidence does not verify: {found.chain_fault}")
    if not found.recorded:
        wrong.append(f"the evidence of {found.id} does not say what its row says")
    good = (
        f"{found.id} passed at {found.finished_at:%Y-%m-%d %H:%M} UTC, RTO {found.rto_seconds:.1f} s, "
        f"RPO {found.rpo_seconds:.1f} s; its evidence verifies"
    )
    judged = verdict(wrong, good)
    return Finding(
        judged.state,
        judged.observed,
        expires_at=found.finished_at + DRILL_FRESH,
        evidence=found.evidence,
    )
