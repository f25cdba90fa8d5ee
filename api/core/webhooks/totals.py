"""What was claimed and tried since the beginning, over all dispatchers: each adds what it has counted.

A dispatcher that is killed takes the last few seconds of its counting with it; deliveries are not counted
from it.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.webhooks.schedule import Outcome

CLAIMED = "claimed"
LATENCY_SUM = "latency_ms"
BOUNDS_MS = (25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 15_000)
_OVER = "over"
_NAMES = (*(f"le:{most}" for most in BOUNDS_MS), f"le:{_OVER}")

_ADD = text("""
insert into webhook_totals as known (name, number)
select * from unnest(cast(:names as text[]), cast(:numbers as bigint[])) order by 1
on conflict (name) do update set number = known.number + excluded.number
""")


@dataclass(frozen=True, slots=True)
class Totals:
    """`latency`: (upper bound in seconds, how many were at most as slow), the last one without a bound."""

    claimed: int
    outcomes: Mapping[str, int]
    latency: Sequence[tuple[str, float]]
    latency_seconds: float


@dataclass
class Count:
    """Of one process: `take` hands over what has been added since the last time."""

    numbers: Counter[str] = field(default_factory=Counter[str])

    def tried(self, latencies_ms: Sequence[int]) -> None:
        self.numbers.update([_NAMES[bisect_left(BOUNDS_MS, took)] for took in latencies_ms])
        self.numbers[LATENCY_SUM] += sum(latencies_ms)

    def take(self) -> Mapping[str, int]:
        taken, self.numbers = self.numbers, Counter()
        return taken


def add(session: Session, numbers: Mapping[str, int]) -> None:
    if numbers:
        session.execute(_ADD, {"names": list(numbers), "numbers": list(numbers.values())})


def read(session: Session) -> Totals:
    rows = session.execute(text("select name, number from webhook_totals"))
    known: dict[str, int] = {row.name: row.number for row in rows}
    slower, latency = 0, list[tuple[str, float]]()
    for most in BOUNDS_MS:
        slower += known.get(f"le:{most}", 0)
        latency.append((str(most / 1000), slower))
    latency.append(("+Inf", slower + known.get(f"le:{_OVER}", 0)))
    outcomes = {outcome.value: known.get(outcome.value, 0) for outcome in Outcome}
    return Totals(known.get(CLAIMED, 0), outcomes, latency, known.get(LATENCY_SUM, 0) / 1000)
