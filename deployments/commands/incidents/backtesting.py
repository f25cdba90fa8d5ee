"""`incidents backtest --days 30 --set hold=8`: what R1 would have fired on with other thresholds."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from api.core.errors import Refused
from api.core.incidents import backtest as replayed
from api.core.incidents import telemetry
from api.core.incidents.exchange_rate import RULE, Thresholds
from api.core.incidents.pace import newest_closed
from api.core.incidents.tally import EVERYBODY
from api.core.incidents.telemetry import Minutes
from deployments.commands.incidents.shared import AsJson, out, refuse_usage
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import watching, wiring


def backtest(
    days: Annotated[int, typer.Option(min=1, max=40, help="How far back")] = 30,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A threshold: hold=8; repeatable")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Where the plot goes: .svg or .png")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay stored minutes under the rule as it is and as it would be; plots the service's error rate."""
    try:
        other = replayed.changed(changes or [])
    except Refused as error:
        raise refuse_usage(error) from error
    if plot is not None and plot.suffix not in (".svg", ".png"):
        raise refuse_usage(Refused(f"{plot} is no plot.", fix="Name a file that ends in .svg or .png."))
    open_service()
    with wiring.transaction() as session:
        now = watching.pace().at(telemetry.database_now(session))
        until = newest_closed(now)
        minutes = telemetry.series(session, until - timedelta(days=days), until)
    found = {name: _fired(minutes, rule) for name, rule in (("as it is", RULE), ("as asked", other))}
    if plot is not None:
        draw(minutes, found, plot)
    if as_json:
        drawn = str(plot) if plot else None
        print_json({"since": minutes.start, "thresholds": asdict(other), "fired": found, "plot": drawn})
        return
    length = len(minutes.series.get(EVERYBODY, ()))
    out.print(f"{length} minutes since {minutes.start:%Y-%m-%d %H:%M} UTC, {len(minutes.series)} scopes.")
    rows = [
        (
            name,
            one["scope"] or "everything",
            *(f"{one[key]:%m-%d %H:%M}" for key in ("since", "trip", "until")),
        )
        for name, listed in found.items()
        for one in listed
    ]
    columns = ("rule", "scope", "first bad minute", "trip", "last bad minute")
    out.print(table(columns, rows) if rows else "It would not have fired.")
    if plot is not None:
        out.print(f"Drawn in {plot}.")


def _fired(minutes: Minutes, rule: Thresholds) -> list[dict[str, Any]]:
    return [
        {
            "scope": scope,
            "since": minutes.at(one.since),
            "trip": minutes.at(one.trip),
            "until": minutes.at(one.until),
        }
        for scope, series in sorted(minutes.series.items())
        for one in replayed.fired(series, rule)
    ]


def draw(minutes: Minutes, found: dict[str, list[dict[str, Any]]], file: Path) -> None:
    """The share of failures over five minutes, and above it where either rule fires."""
    import matplotlib as mpl
    import pandas as pd

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    unknown = (float("nan"), float("nan"))
    counted = [tuple(bucket) if bucket else unknown for bucket in minutes.series.get(EVERYBODY, ())]
    index = [minutes.at(place) for place in range(len(counted))]
    frame: Any = pd.DataFrame(counted, columns=["failed", "attempted"], index=index, dtype=float)
    window: Any = frame.rolling(RULE.window, min_periods=1).sum()
    share: Any = 100 * window["failed"] / window["attempted"].where(window["attempted"] > 0)
    figure, drawn = plt.subplots(figsize=(11, 4), layout="constrained")
    axes: Any = drawn
    axes.plot(share.index, share, linewidth=1, color="#1f5fa8", label="failed, % of five minutes")
    axes.axhline(RULE.percent, linewidth=1, linestyle="--", color="#8a8a8a", label=f"{RULE.percent} %")
    for (name, listed), colour, marker in zip(found.items(), ("#b3261e", "#8a5a00"), ("v", "^"), strict=True):
        trips = [one["trip"] for one in listed]
        axes.scatter(trips, [104] * len(trips), marker=marker, color=colour, label=f"fires {name}")
    axes.set_ylim(0, 108)
    axes.set_ylabel("failed exchanges, %")
    figure.legend(loc="outside upper left", ncols=4, frameon=False)
    figure.savefig(file)
    plt.close(figure)
