"""Every line of growth, its slope held against linear or flat, with one picture of all."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from deployments.bench.growth import ledger, pictures, presence, restores
from deployments.bench.growth.slopes import Growth
from deployments.bench.measures import Measurement
from deployments.bench.places import scratch_settings


@dataclass(frozen=True, slots=True)
class Size:
    lengths: tuple[int, ...] = ledger.LENGTHS
    rows: tuple[int, ...] = presence.ROWS
    sizes: tuple[float, ...] = restores.SIZES
    wal: tuple[float, ...] = restores.WAL
    rounds: int = 3


SMOKE = Size((100, 400), (2_000, 8_000), (0.02, 0.04), (0.02, 0.04), 1)


def up_to(largest: float) -> Size:
    """`largest` in GB of data; more than the usual takes longer than three minutes."""
    usual = Size()
    return usual if largest <= usual.sizes[-1] else Size(sizes=(usual.sizes[0], usual.sizes[-1], largest))


def measure(settings: Settings, below: Path, size: Size, say: Callable[[str], None]) -> list[Measurement]:
    """Leaves `growth.json` and `growth.svg` in `below`."""
    lines: list[Growth] = []
    with scratch_settings(settings, below) as (own, _):
        cluster = Cluster.from_settings(own)
        cluster.initialise()
        cluster.start()
        try:
            lines += ledger.measure(cluster, size.lengths, size.rounds, say)
            lines += presence.measure(cluster, size.rows, size.rounds, say)
        finally:
            cluster.stop()
    lines += restores.measure(settings, below, size.sizes, size.wal, size.rounds, say)
    keep(lines, below)
    for line in lines:
        say(f"{line.name}: seconds ~ ({line.unit})^{line.exponent:.2f}, {line.per_unit:.3g} s each")
    return [line.measurement() for line in lines]


def keep(lines: Sequence[Growth], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps([line.to_json() for line in lines], indent=2)
    (folder / "growth.json").write_text(text + "\n")
    pictures.draw(lines, folder / "growth.svg")
