"""One measurement: ours against a reference, as a ratio with a goal."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measurement:
    """`ratio` is ours / reference (seconds, or whatever `unit` says); met when it does not exceed `goal`, or
    `at_least` reaches it."""

    name: str
    ours: float
    reference: float
    reference_name: str
    goal: float
    unit: str = "s"
    at_least: bool = False

    @property
    def ratio(self) -> float:
        return self.ours / self.reference if self.reference else float("inf")

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def to_json(self) -> dict[str, Any]:
        rounded = {"ours": round(self.ours, 4), "reference": round(self.reference, 4)}
        return {**asdict(self), **rounded, "ratio": round(self.ratio, 3), "met": self.met}


def seconds(act: Callable[[], object]) -> float:
    started = perf_counter()
    act()
    return perf_counter() - started


def interleaved(rounds: int, acts: dict[str, Callable[[], float]]) -> dict[str, float]:
    """Run every act once a round, in turn, so that the machine's moods fall on all; medians of `rounds`.

    What an act has left in the write cache is written out before the next one begins.
    """
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            os.sync()
            taken[name].append(act())
    return {name: median(values) for name, values in taken.items()}


def write(measurements: Sequence[Measurement], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([m.to_json() for m in measurements], indent=2) + "\n")


def table(measurements: Sequence[Measurement]) -> Table:
    shown = Table(title="Benches (ratio = ours / reference)")
    for column in ("name", "ours", "reference", "", "ratio", "goal", "met"):
        shown.add_column(column, justify="right" if column in {"ours", "reference", "ratio"} else "left")
    for m in measurements:
        shown.add_row(
            m.name,
            f"{m.ours:.3f} {m.unit}",
            f"{m.reference:.3f} {m.unit}",
            m.reference_name,
            f"{m.ratio:.2f}",
            f"{'≥' if m.at_least else '≤'} {m.goal:g}",
            "[green]yes[/]" if m.met else "[red]no[/]",
        )
    return shown
