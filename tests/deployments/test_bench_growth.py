"""Slopes tell flat from linear from worse; two benches are compared; the growth benches run at all."""

import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from api.providers.databases.embedded.cluster import Cluster
from deployments.bench import measures
from deployments.bench.growth import ledger, pictures, presence
from deployments.bench.growth.slopes import Growth, Point, exponent
from deployments.bench.measures import Measurement, share
from deployments.commands import bench


@pytest.mark.parametrize(("power", "base"), [(0.0, 0.5), (1.0, 0.001), (2.0, 1e-6), (-0.5, 3.0)])
def test_the_exponent_is_the_power_of_the_law(power: float, base: float) -> None:
    points = [(size, base * size**power) for size in (10.0, 40.0, 160.0)]
    assert exponent(points) == pytest.approx(power)


@pytest.mark.parametrize(
    ("power", "flat", "met"), [(1, False, True), (1, True, False), (2, False, False), (0, True, True)]
)
def test_worse_than_promised_misses_the_goal(power: int, flat: bool, met: bool) -> None:
    points = [Point(size, 0.01 * size**power, [0.01]) for size in (1.0, 10.0, 100.0)]
    assert Growth("x", "rows", points, flat).measurement().met is met


def test_a_cluster_shows_every_line_of_a_ledger_and_of_presence(cluster: Cluster, tmp_path: Path) -> None:
    lines = ledger.measure(cluster, (50, 200), 1, lambda _said: None)
    lines += presence.measure(cluster, (1_000, 2_000), 1, lambda _said: None)
    assert [line.name for line in lines] == [
        "verify all evidence",
        "verify a stream for a page",
        "append evidence",
        "live users",
    ]
    assert all(point.seconds > 0 for line in lines for point in line.points)
    pictures.draw(lines, tmp_path / "growth.svg")
    assert (tmp_path / "growth.svg").stat().st_size > 1_000


@pytest.mark.parametrize(
    ("lost", "at_least", "used"), [(0.0, False, 0.0), (3.0, False, 2.0), (0.0, True, 0.0), (2.0, True, 0.0)]
)
def test_a_goal_of_nothing_can_be_drawn(lost: float, at_least: bool, used: float) -> None:
    assert share(Measurement("lost", lost, 100.0, "sent", 0.0, at_least=at_least)) == used


def test_a_comparison_names_a_lost_goal(tmp_path: Path) -> None:
    before = [
        Measurement("a", 1.0, 2.0, "limit", 0.6),
        Measurement("b", 5.0, 1.0, "peer", 4.0, at_least=True),
    ]
    now = [Measurement("a", 1.4, 2.0, "limit", 0.6), Measurement("c", 1.0, 1.0, "peer", 1.0)]
    measures.write(before, tmp_path / "before")
    measures.write(now, tmp_path / "now")
    assert (
        "| a | 1.400 s | 2.000 s | limit | 0.70 | ≤ 0.6 | **no** |"
        in (tmp_path / "now/latest.md").read_text()
    )
    assert (tmp_path / "now/latest.svg").stat().st_size > 1_000
    app = Typer()
    bench.register(app)
    words = [
        "bench-compare",
        str(tmp_path / "before/latest.json"),
        "--now",
        str(tmp_path / "now/latest.json"),
    ]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 1
    changes = {one["name"]: one for one in json.loads(done.stdout)["changes"]}
    assert (changes["a"]["lost"], changes["a"]["better"]) == (True, False)
    assert changes["a"]["factor"] == pytest.approx(1.4)
    assert (changes["b"]["now"], changes["c"]["before"]) == (None, None)
    assert "goal lost" in CliRunner().invoke(app, words).stdout
    same = ["bench-compare", words[1], "--now", words[1]]
    assert CliRunner().invoke(app, same).exit_code == 0
