"""The verdict of a drill: a pure function of its checks, its times and its targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.core.drills.records import RTO_PHASES, CheckResult, DrillStatus


@dataclass(frozen=True, slots=True)
class Verdict:
    status: DrillStatus
    issues: Sequence[str]
    next_step: str


def decide(
    checks: Sequence[CheckResult],
    rto_parts: Mapping[str, float],
    rto_target: float,
    rpo_seconds: float | None,
    rpo_target: float,
) -> Verdict:
    """Passed when every check held and both targets were met. Each issue says what missed and by how much.

    No check at all is a failure: silence proves nothing.
    """
    issues = [f"{c.name}: expected {c.expected}, observed {c.observed}" for c in checks if not c.ok]
    fixes = [c.fix for c in checks if not c.ok and c.fix]
    if not checks:
        issues.append("no check was carried out")
        fixes.append("Run the drill with its default checks.")
    rto = rto_seconds(rto_parts)
    if rto > rto_target:
        issues.append(
            f"RTO {rto:.1f} s is over its target of {rto_target:.0f} s; {limiting_phase(rto_parts)} limits it"
        )
        fixes.append(rto_advice(rto_parts, rto_target))
    if rpo_seconds is None:
        issues.append("RPO could not be measured: no beacon was found in the copy")
        fixes.append("See that the beacon process runs against production (`firstuser status`).")
    elif rpo_seconds > rpo_target:
        issues.append(f"RPO {rpo_seconds:.1f} s is over its target of {rpo_target:.0f} s")
        fixes.append("Lower archive_timeout, and check that the archiver keeps up.")
    if issues:
        return Verdict(DrillStatus.FAILED, issues, fixes[0] if fixes else "Look at the failed checks.")
    return Verdict(
        DrillStatus.PASSED, [], f"Nothing to do. {limiting_phase(rto_parts)} limits the recovery time."
    )


def rto_seconds(parts: Mapping[str, float]) -> float:
    """From "restore asked for" to "verified through staging"; waiting for a queue or a person is apart."""
    return sum(parts.get(phase.value, 0.0) for phase in RTO_PHASES)


def limiting_phase(parts: Mapping[str, float]) -> str:
    """The phase that took longest, with its share."""
    timed = {phase.value: parts.get(phase.value, 0.0) for phase in RTO_PHASES}
    name = max(timed, key=lambda key: timed[key])
    total = sum(timed.values())
    return f"{name} ({timed[name]:.1f} s of {total:.1f} s)" if total else name


def rto_advice(parts: Mapping[str, float], rto_target: float) -> str:
    """What would bring the RTO under its target; for replay, the incremental interval that would do it.

    Replay grows with the WAL since the last backup, which on average is half an interval old.
    """
    replay = parts.get("replay", 0.0)
    over = rto_seconds(parts) - rto_target
    if replay > over > 0:
        share = (replay - over) / replay
        return f"Take incremental backups {1 / share:.1f} times as often: replay would fit the target."
    return f"Shorten {limiting_phase(parts)}: replay alone cannot make up for {over:.1f} s."
