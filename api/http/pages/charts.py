"""Geometry of the charts, for templates to draw as SVG. Numbers in, coordinates out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WIDTH, HEIGHT = 640, 200
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 20, 28
_LABEL_SHARE = 0.05
_PLOT_W, _PLOT_H = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str
    value: int


@dataclass(frozen=True, slots=True)
class BarChart:
    bars: Sequence[Bar]
    ticks: Sequence[Tick]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    label: str
    css: str


@dataclass(frozen=True, slots=True)
class TrendChart:
    """`path` joins the points; `target_y` is where the dashed line of the target runs, None above the top."""

    points: Sequence[Point]
    path: str
    ticks: Sequence[Tick]
    target_y: float | None
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    label: str


@dataclass(frozen=True, slots=True)
class AreaChart:
    """`lines` and the `areas` under them, one of each per stretch without a gap; `marks` along the time."""

    lines: Sequence[str]
    areas: Sequence[str]
    ticks: Sequence[Tick]
    marks: Sequence[Mark]
    most: int


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    value: float
    css: str
    label: str


def bars(values: Sequence[tuple[str, int]]) -> BarChart:
    """One bar per (label, value), left to right, with a gap between them."""
    top = _round_up(max((value for _, value in values), default=0))
    slot = _PLOT_W / max(1, len(values))
    made = [
        Bar(
            x=round(LEFT + slot * number + 1, 1),
            y=round(_y(value, top), 1),
            width=round(max(1.0, slot - 2), 1),
            height=round(_PLOT_H * value / top, 1),
            label=label,
            value=value,
        )
        for number, (label, value) in enumerate(values)
    ]
    ends = (values[0][0], values[-1][0]) if values else ("", "")
    return BarChart(made, _ticks(top, ""), *ends)


def trend(samples: Sequence[Sample], target: float | None, first: str, last: str) -> TrendChart:
    """Samples in order of time, evenly spaced. The target is drawn when it is near enough to the values
    not to flatten them."""
    highest = max((sample.value for sample in samples), default=0.0)
    shown = target is not None and target <= highest * 4
    top = _round_up(max(highest, target if shown and target else 0.0))
    step = _PLOT_W / max(1, len(samples) - 1)
    start = LEFT if len(samples) > 1 else LEFT + _PLOT_W / 2
    points = [
        Point(round(start + step * number, 1), round(_y(sample.value, top), 1), sample.label, sample.css)
        for number, sample in enumerate(samples)
    ]
    path = " ".join(f"{'L' if number else 'M'}{point.x} {point.y}" for number, point in enumerate(points))
    target_y = round(_y(target, top), 1) if shown and target is not None else None
    return TrendChart(points, path, _ticks(top, " s"), target_y, first, last)


def area(
    samples: Sequence[tuple[datetime, int]], start: datetime, end: datetime, step: timedelta
) -> AreaChart:
    """Samples in order of time, each standing for `step`; where one is missing the line is broken."""
    most = max((value for _, value in samples), default=0)
    top = max(2, _round_up(most))
    stretches: list[list[tuple[float, float]]] = []
    before: datetime | None = None
    for when, value in samples:
        if before is None or when - before > step * 1.5:
            stretches.append([])
        share = min(1.0, max(0.0, (when - start) / (end - start)))
        stretches[-1].append((round(LEFT + _PLOT_W * share, 1), round(_y(value, top), 1)))
        before = when
    ground = HEIGHT - BOTTOM
    lines = ["M" + " L".join(f"{x} {y}" for x, y in points) for points in stretches]
    areas = [
        f"{line} L{points[-1][0]} {ground} L{points[0][0]} {ground} Z"
        for line, points in zip(lines, stretches, strict=True)
    ]
    return AreaChart(lines, areas, _ticks(top, ""), _hours(start, end), most)


def _hours(start: datetime, end: datetime) -> list[Mark]:
    """Every sixth hour of the day between the two, in UTC."""
    first = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = (first + timedelta(hours=n) for n in range(int((end - start) / timedelta(hours=1)) + 1))
    return [
        Mark(round(LEFT + _PLOT_W * ((hour - start) / (end - start)), 1), f"{hour:%H:%M}")
        for hour in hours
        if hour.hour % 6 == 0 and hour < end - (end - start) * _LABEL_SHARE
    ]


def _y(value: float, top: float) -> float:
    return TOP + _PLOT_H * (1 - value / top)


def _ticks(top: float, unit: str) -> list[Tick]:
    return [Tick(round(_y(top * part, top), 1), f"{top * part:g}{unit}") for part in (0, 0.5, 1)]


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 6 times a power of ten: axes end on numbers that halve well."""
    if value <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 10) if value <= step * power * 1.0000001)
