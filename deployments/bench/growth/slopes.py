"""A line of growth: seconds at several sizes, and the exponent p of seconds ~ size^p between its ends.

1 is linear, 0 is flat. The exponent is the least-squares slope of log seconds over log size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deployments.bench.measures import Measurement

LINEAR = 1.1  # what is measured of a straight line, noise included
FLAT = 0.15  # a tenfold size costs at most 1.4 times as much


@dataclass(frozen=True, slots=True)
class Point:
    """`runs`: seconds of each; `seconds` is their median."""

    size: float
    seconds: float
    runs: Sequence[float]


@dataclass(frozen=True, slots=True)
class Growth:
    name: str
    unit: str
    points: Sequence[Point]
    flat: bool = False

    @property
    def exponent(self) -> float:
        return exponent([(point.size, point.seconds) for point in self.points])

    @property
    def per_unit(self) -> float:
        """Seconds per unit of size, between the smallest and the largest."""
        first, last = self.points[0], self.points[-1]
        return (last.seconds - first.seconds) / (last.size - first.size)

    def measurement(self) -> Measurement:
        goal = FLAT if self.flat else LINEAR
        shape = "flat is 0" if self.flat else "linear is 1"
        return Measurement(f"{self.name}: exponent of growth", self.exponent, 1.0, shape, goal, "")

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "flat": self.flat,
            "exponent": round(self.exponent, 3),
            "seconds_per_unit": self.per_unit,
            "points": [
                {"size": p.size, "seconds": round(p.seconds, 6), "runs": [round(run, 6) for run in p.runs]}
                for p in self.points
            ],
        }


def exponent(points: Sequence[tuple[float, float]]) -> float:
    xs = [math.log(size) for size, _ in points]
    ys = [math.log(max(seconds, 1e-9)) for _, seconds in points]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
