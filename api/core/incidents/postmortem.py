"""A draft of the postmortem, in Markdown: the facts are filled in, the thinking is left to people."""

from collections.abc import Sequence
from datetime import datetime

from api.core.incidents.exchange_rate import Bucket
from api.core.incidents.reading import EpisodeView

Row = tuple[datetime, Bucket | None]
"""A minute and what was counted in it."""


def markdown(found: EpisodeView, minutes: Sequence[Row]) -> str:
    scope = found.scope or "the whole service"
    ended = f"{found.resolved_at:%Y-%m-%d %H:%M} by {found.resolved_by}" if found.resolved_at else "open"
    parts = [
        f"# Incident {found.id}: {found.title}",
        f"- Rule {found.rule}, scope {scope}, episode {found.number}, mode {found.mode}\n"
        f"- First bad minute {found.since:%Y-%m-%d %H:%M} UTC\n"
        f"- Trip {found.tripped_at:%Y-%m-%d %H:%M} UTC\n"
        f"- Resolved: {ended}\n"
        f"- It looked like: {_plain(found.cause)}\n"
        f"- Did the action help: {_helped(found.helped)}",
        "## Timeline\n\n| time (UTC) | what | who | |\n| --- | --- | --- | --- |\n"
        + "\n".join(
            f"| {one.at:%H:%M:%S} | {one.kind} | {_plain(one.actor)} | {_plain(one.said)} |"
            for one in found.timeline
        ),
        "## Actions\n\n| action | with | state | done | seen |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(
            f"| {one.kind} | {one.target or 'everything'} | {one.state} | {_time(one.acted_at)}"
            f" | {_time(one.observed_at)} |"
            for one in found.actions
        ),
        "## Numbers\n\n| minute | failed | attempted |\n| --- | --- | --- |\n"
        + "\n".join(
            f"| {at:%H:%M} | {bucket.failed} | {bucket.attempted} |" if bucket else f"| {at:%H:%M} | – | – |"
            for at, bucket in minutes
        ),
        "## What happened\n\n_To be written._",
        "## Why\n\n_To be written: ask why until it is a decision that can be changed._",
        "## What changes\n\n- [ ] _Who, what, by when._",
    ]
    return "\n\n".join(parts) + "\n"


def _helped(helped: bool | None) -> str:
    return {True: "yes", False: "no", None: "not known yet"}[helped]


def _time(at: datetime | None) -> str:
    return f"{at:%H:%M:%S}" if at else "–"


def _plain(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
