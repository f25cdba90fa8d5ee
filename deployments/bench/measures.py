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

    @property
    def goal_text(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.goal:g}"

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


def write(measurements: Sequence[Measurement], folder: Path) -> None:
    """`latest.json` for programs and comparisons, `latest.md` and `latest.svg` for people."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps([m.to_json() for m in measurements], indent=2) + "\n")
    (folder / "latest.md").write_text(markdown(measurements))
    if measurements:
        _draw(measurements, folder / "latest.svg")


def markdown(measurements: Sequence[Measurement]) -> str:
    lines = ["| name | ours | peer or limit | | ratio | goal | met |", "| - | -: | -: | - | -: | - | - |"]
    lines += [
        f"| {m.name} | {m.ours:.3f} {m.unit} | {m.reference:.3f} {m.unit} | {m.reference_name} |"
        f" {m.ratio:.2f} | {m.goal_text} | {'yes' if m.met else '**no**'} |"
        for m in measurements
    ]
    return "\n".join(lines) + "\n"


def share(one: Measurement) -> float:
    """How much of its goal is used up; 2 where nothing was the goal, and it was missed."""
    used, goal = (one.goal, one.ratio) if one.at_least else (one.ratio, one.goal)
    if goal == 0:
        return 2.0 if used else 0.0
    return used / goal


def _draw(measurements: Sequence[Measurement], file: Path) -> None:
    """Each ratio as a share of its goal: left of the line is better."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shares = [share(m) for m in measurements]
    figure, axis = plt.subplots(figsize=(9, 0.6 + 0.28 * len(shares)), layout="constrained")
    names = [f"{m.name} / {m.reference_name}" for m in measurements]
    axis.barh(names, shares, color=["#1a7f37" if m.met else "#cf222e" for m in measurements])
    axis.axvline(1.0, color="#8c959f", linestyle="--")
    axis.invert_yaxis()
    axis.tick_params(labelsize=7)
    axis.set_xlabel("share of the goal that is used (1 is the goal)", fontsize=8)
    figure.savefig(file)
    plt.close(figure)


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
            m.goal_text,
            "[green]yes[/]" if m.met else "[red]no[/]",
        )
    return shown
