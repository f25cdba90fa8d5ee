"""Two benches side by side: how much each ratio has changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from api.core.errors import NotFound, Refused

Found = Mapping[str, Any]
NOISE = 0.05  # a change of less is not coloured


@dataclass(frozen=True, slots=True)
class Change:
    """`before` and `now` are ratios, None where one of the two has no such measurement. `better`: which way
    it went. `lost`: a goal that was met is missed now."""

    name: str
    reference: str
    before: float | None
    now: float | None
    better: bool | None
    lost: bool

    @property
    def factor(self) -> float | None:
        return self.now / self.before if self.now is not None and self.before else None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "factor": self.factor}


def read(file: Path) -> Mapping[tuple[str, str], Found]:
    """By name and reference. Raises `NotFound`, `Refused`."""
    try:
        found: list[Found] = json.loads(file.read_text())
        return {(str(one["name"]), str(one["reference_name"])): one for one in found}
    except OSError:
        raise NotFound(f"There is no bench in {file}.", fix="Measure one: make bench.") from None
    except (ValueError, TypeError, KeyError):
        raise Refused(f"{file} is no bench.", fix="Name a latest.json that `make bench` wrote.") from None


def compare(before: Mapping[Any, Found], now: Mapping[Any, Found]) -> Sequence[Change]:
    """Those of both, in the order of `now`, then what is gone."""
    return [
        _change(key, before.get(key), now.get(key)) for key in [*now, *(k for k in before if k not in now)]
    ]


def _change(key: tuple[str, str], before: Found | None, now: Found | None) -> Change:
    was, is_now = (float(one["ratio"]) if one else None for one in (before, now))
    better = None
    if was and is_now is not None and abs(is_now / was - 1) >= NOISE:
        better = (is_now > was) == bool(now and now.get("at_least"))
    lost = bool(before and now and before["met"] and not now["met"])
    return Change(*key, was, is_now, better, lost)


def table(changes: Sequence[Change]) -> Table:
    shown = Table(title="Ratios before and now", box=None, pad_edge=False)
    for column in ("name", "against", "before", "now", "change", ""):
        shown.add_column(column)
    for one in changes:
        colour = {True: "green", False: "red", None: "dim"}[one.better]
        change = f"[{colour}]× {one.factor:.2f}[/]" if one.factor is not None else "–"
        shown.add_row(
            one.name,
            one.reference,
            _ratio(one.before),
            _ratio(one.now),
            change,
            "[red]goal lost[/]" if one.lost else "",
        )
    return shown


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
