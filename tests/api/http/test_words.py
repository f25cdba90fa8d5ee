"""Words and pictures of the pages."""

from datetime import timedelta

import pytest

from api.http.pages import charts, format
from api.http.pages.charts import Sample
from tests.product import NOW


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.04, "0.0 s"), (8.44, "8.4 s"), (60, "1 min"), (125, "2 min 5 s"), (3720, "1 h 2 min")],
)
def test_durations(value: float | None, shown: str) -> None:
    assert format.seconds(value) == shown


@pytest.mark.parametrize(
    ("age", "shown"), [(2, "just now"), (59, "59 s ago"), (3600, "1 h ago"), (172_800, "2 d ago")]
)
def test_ages(age: float, shown: str) -> None:
    assert format.ago(NOW - timedelta(seconds=age), NOW) == shown


def test_sizes() -> None:
    assert [format.size(value) for value in (0, 1023, 1536, 31 * 2**20, 5 * 2**40)] == [
        "0 B",
        "1023 B",
        "1.5 KB",
        "31 MB",
        "5120 GB",
    ]


def sample(value: float) -> Sample:
    return Sample(NOW, value, "passed", "")


def test_the_target_is_drawn_unless_it_would_flatten_the_values() -> None:
    near = charts.trend([sample(10), sample(20)], 30, "", "")
    assert near.target_y is not None and near.target_y < min(point.y for point in near.points)
    assert charts.trend([sample(10), sample(20)], 900, "", "").target_y is None


@pytest.mark.parametrize("values", [[], [0.0], [7.0], [0.001, 5000.0]])
def test_points_stay_inside_the_picture(values: list[float]) -> None:
    chart = charts.trend([sample(value) for value in values], None, "", "")
    assert all(0 <= point.x <= charts.WIDTH and 0 <= point.y <= charts.HEIGHT for point in chart.points)
    bars = charts.bars([("d", int(value)) for value in values])
    assert all(bar.y + bar.height <= charts.HEIGHT for bar in bars.bars)


def test_where_nothing_was_counted_the_line_is_broken() -> None:
    step = timedelta(minutes=10)
    start, end = NOW - timedelta(hours=24), NOW
    counted = [start + step, start + 2 * step, start + 9 * step]
    chart = charts.area([(when, 3) for when in counted], start, end, step)
    assert len(chart.lines) == len(chart.areas) == 2 and chart.most == 3
    assert all(charts.LEFT <= mark.x <= charts.WIDTH - charts.RIGHT for mark in chart.marks)
    assert [mark.label for mark in chart.marks] == ["18:00", "00:00", "06:00"]
    assert charts.area([], start, end, step).lines == []
