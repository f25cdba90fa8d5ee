"""Drills over time: which weeks had a good one (runbook section 2: weekly), times against targets. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from api.core.drills.records import DrillStatus, DrillSummary

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Week:
    """From Monday `begins`, UTC. Times are the best of its good drills, None without one."""

    begins: datetime
    good: int
    bad: int
    rto_seconds: float | None
    rpo_seconds: float | None

    @property
    def covered(self) -> bool:
        return self.good > 0

    def to_json(self) -> dict[str, Any]:
        return {
            "begins": self.begins.date().isoformat(),
            "covered": self.covered,
            "good": self.good,
            "bad": self.bad,
            "rto_seconds": self.rto_seconds,
            "rpo_seconds": self.rpo_seconds,
        }


@dataclass(frozen=True, slots=True)
class History:
    """`drills` that ended, oldest first; `weeks` without a hole, the running one last."""

    drills: Sequence[DrillSummary]
    weeks: Sequence[Week]

    @property
    def covered(self) -> int:
        return sum(week.covered for week in self.weeks)

    @property
    def failures(self) -> Sequence[DrillSummary]:
        return [drill for drill in self.drills if drill.status is not DrillStatus.PASSED]

    @property
    def headline(self) -> str:
        if not self.weeks:
            return "No drill yet: a backup that was never restored is a hope."
        good = len(self.drills) - len(self.failures)
        said = (
            f"{self.covered} of {len(self.weeks)} weeks had a good drill; {good} of {len(self.drills)} passed"
        )
        times = [drill.rto_seconds for drill in self.drills if drill.rto_seconds is not None]
        return f"{said}; median RTO {median(times):.1f} s." if times else f"{said}."

    def to_json(self) -> dict[str, Any]:
        return {
            "headline": self.headline,
            "covered_weeks": self.covered,
            "weeks": [week.to_json() for week in self.weeks],
            "drills": [
                {
                    **drill.to_json(),
                    "started_at": drill.started_at.isoformat(),
                    "rto_target": drill.rto_target,
                    "rpo_target": drill.rpo_target,
                }
                for drill in self.drills
            ],
        }


def history(drills: Sequence[DrillSummary], now: datetime, most_weeks: int = 26) -> History:
    """Of the newest `most_weeks` weeks, from the first drill on. Running drills are not in it."""
    first_shown = monday(now) - (most_weeks - 1) * WEEK
    ended = [drill for drill in drills if drill.finished_at and drill.started_at >= first_shown]
    ended.sort(key=lambda drill: drill.started_at)
    if not ended:
        return History([], [])
    begins = monday(ended[0].started_at)
    count = (monday(now) - begins) // WEEK + 1
    return History(ended, [_week(begins + number * WEEK, ended) for number in range(count)])


def monday(moment: datetime) -> datetime:
    """The beginning of its week. `moment` is in UTC."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=moment.weekday())


def _week(begins: datetime, drills: Sequence[DrillSummary]) -> Week:
    those = [drill for drill in drills if begins <= drill.started_at < begins + WEEK]
    good = [drill for drill in those if drill.status is DrillStatus.PASSED]
    return Week(
        begins,
        len(good),
        len(those) - len(good),
        min((d.rto_seconds for d in good if d.rto_seconds is not None), default=None),
        min((d.rpo_seconds for d in good if d.rpo_seconds is not None), default=None),
    )
