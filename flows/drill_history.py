"""The history of drills as a picture, as Markdown and as one HTML page."""

import base64
import html
import io
from typing import Any

from api.core.drills.history import History
from api.core.drills.records import DrillStatus

GOOD, BAD, TARGET = "#1a7f37", "#cf222e", "#8c959f"
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border-bottom:1px solid #8886;padding:.3rem .8rem .3rem 0;"
    "text-align:left}td:first-child{white-space:nowrap}img{max-width:100%;border-radius:.4rem}"
)


def plot(history: History, form: str = "svg") -> bytes:
    """RTO and RPO of every drill and their rolling medians against the targets, on logarithmic seconds;
    `form`: svg or png. The same history gives the same bytes."""
    import matplotlib as mpl
    import pandas as pd

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "firstuser"
    frame = pd.DataFrame(
        {
            "at": pd.to_datetime([drill.started_at for drill in history.drills], utc=True),
            "good": [drill.status is DrillStatus.PASSED for drill in history.drills],
            "RTO": [drill.rto_seconds for drill in history.drills],
            "RPO": [drill.rpo_seconds for drill in history.drills],
            "RTO target": [drill.rto_target for drill in history.drills],
            "RPO target": [drill.rpo_target for drill in history.drills],
        }
    ).set_index("at")
    figure, axes = plt.subplots(2, 1, sharex=True, figsize=(8, 4.6), layout="constrained")
    try:
        for axis, name in zip(axes, ("RTO", "RPO"), strict=True):
            _draw(axis, frame, name)
        axes[0].set_title(history.headline, fontsize=9, loc="left")
        out = io.BytesIO()
        figure.savefig(out, format=form, dpi=110, metadata={"Date": None} if form == "svg" else None)
    finally:
        plt.close(figure)
    return out.getvalue()


def _draw(axis: Any, frame: Any, name: str) -> None:
    from matplotlib import ticker

    measured = frame.dropna(subset=[name])
    for good, colour in ((True, GOOD), (False, BAD)):
        those = measured[measured["good"] == good]
        axis.plot(those.index, those[name], "o", color=colour, markersize=4)
    middle = measured[name].rolling(5, min_periods=1).median()
    axis.plot(middle.index, middle, color=GOOD, linewidth=1, label="median of 5")
    axis.step(
        frame.index, frame[f"{name} target"], where="post", color=TARGET, linestyle="--", label="target"
    )
    for moment in frame.index[~frame["good"]]:
        axis.axvline(moment, color=BAD, alpha=0.25, linewidth=1)
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,g}"))
    axis.yaxis.set_minor_formatter(ticker.NullFormatter())
    axis.set_ylabel(f"{name}, s")
    axis.legend(fontsize=8, loc="best")
    axis.tick_params(axis="x", rotation=20, labelsize=8)


def markdown(history: History) -> str:
    lines = [
        "# Restore drills over time",
        "",
        history.headline,
        "",
        "| week of | good | bad | best RTO | best RPO |",
        "| - | - | - | - | - |",
    ]
    for week in reversed(history.weeks):
        good = str(week.good) if week.covered else "**none**"
        lines.append(
            f"| {week.begins:%Y-%m-%d} | {good} | {week.bad} | {seconds(week.rto_seconds)} |"
            f" {seconds(week.rpo_seconds)} |"
        )
    if history.failures:
        lines += ["", "## What went wrong", ""]
        lines += [
            f"- `{drill.id}`, {drill.started_at:%Y-%m-%d %H:%M}: "
            f"{'; '.join(drill.issues) or drill.status.value}"
            for drill in reversed(history.failures)
        ]
    lines += [
        "",
        "A week without one: `firstuser drill`; runbook `deployments/runbooks/restore-drill.md`.",
    ]
    return "\n".join(lines)


def page(history: History) -> str:
    """One HTML file with everything in it."""
    rows = "".join(
        f"<tr><td>{week.begins:%Y-%m-%d}<td>{week.good or '<b>none</b>'}<td>{week.bad}"
        f"<td>{seconds(week.rto_seconds)}<td>{seconds(week.rpo_seconds)}\n"
        for week in reversed(history.weeks)
    )
    failures = "".join(
        f"<li><code>{drill.id}</code>, {drill.started_at:%Y-%m-%d %H:%M}: "
        f"{html.escape('; '.join(drill.issues) or drill.status.value)}\n"
        for drill in reversed(history.failures)
    )
    heads = "".join(f'<th scope="col">{name}' for name in ("week of", "good", "bad", "best RTO", "best RPO"))
    picture = ""
    if history.drills:
        picture = f'<img alt="RTO and RPO over time against their targets" src="{data_url(history)}">'
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Restore drills</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>\n<h1>Restore drills over time</h1>\n"
        f"<p>{html.escape(history.headline)}</p>\n{picture}\n"
        f"<table><thead><tr>{heads}</thead>\n<tbody>{rows}</tbody></table>\n"
        f"{f'<h2>What went wrong</h2><ul>{failures}</ul>' if failures else ''}</main></body></html>\n"
    )


def data_url(history: History) -> str:
    """The picture where an address is asked for."""
    return f"data:image/png;base64,{base64.b64encode(plot(history, 'png')).decode()}"


def seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"
