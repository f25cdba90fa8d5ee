"""`incidents replay --at 14:21`: the verdict of that minute, and the numbers that led to it."""

from datetime import datetime
from typing import Annotated, Any

import typer

from api.core.errors import Refused
from api.core.incidents import telemetry
from api.core.incidents.pace import CLOSES_AFTER, MINUTE, minute_of, newest_closed
from api.core.incidents.seeing import Seen, see
from api.core.incidents.tally import EVERYBODY
from deployments.commands.incidents.shared import AsJson, moment, out, refuse_usage
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import watching, wiring

SHOWN = 16


def replay(
    at: Annotated[str, typer.Option(help="A minute: 14:21, or 2026-11-24T14:21, in UTC")],
    scope: Annotated[
        str, typer.Option(help="One integration (int_…); the whole service without")
    ] = EVERYBODY,
    as_json: AsJson = False,
) -> None:
    """Why did the rules say what they said? From what is stored, as if that minute had just been closed."""
    open_service()
    with wiring.transaction() as session:
        now = watching.pace().at(telemetry.database_now(session))
        minute = minute_of(moment(at, now))
        if minute > (newest := newest_closed(now)):
            fix = f"The newest that is: --at {newest:%Y-%m-%dT%H:%M}."
            raise refuse_usage(Refused(f"The minute {minute:%H:%M} is not closed yet.", fix=fix))
        seen = see(session, watching.situated(session, minute + MINUTE + CLOSES_AFTER))
    shown = _minutes(seen, scope)
    if as_json:
        verdicts = [
            {"rule": one.rule.value, "scope": one.scope, "verdict": one.verdict.value, "numbers": one.numbers}
            for one in seen.findings
        ]
        print_json({"minute": minute, "verdicts": verdicts, "minutes": shown})
        return
    out.print(
        f"The minute from {minute:%Y-%m-%d %H:%M} UTC, closed at {minute + MINUTE + CLOSES_AFTER:%H:%M:%S}:"
    )
    rows = [
        (one.rule.value, one.scope or "everything", one.verdict.value, _said(one.numbers))
        for one in seen.findings
    ]
    out.print(table(("rule", "scope", "verdict", "numbers"), rows))
    columns = ("minute", "failed", "attempted", "window", "state", "verdict")
    listed = [tuple(str(one[column]) for column in columns) for one in shown]
    out.print(table(columns, listed) if listed else f"Nothing was counted for {scope or 'the service'}.")


def _minutes(seen: Seen, scope: str) -> list[dict[str, Any]]:
    series, judged = seen.minutes.series.get(scope, ()), seen.judged.get(scope, ())
    first = max(0, len(series) - SHOWN)
    return [
        {
            "minute": f"{seen.minutes.at(place):%H:%M}",
            "failed": bucket.failed if bucket else None,
            "attempted": bucket.attempted if bucket else None,
            "window": f"{judged[place].failed}/{judged[place].attempted}",
            "state": judged[place].state.value,
            "verdict": judged[place].verdict.value,
        }
        for place, bucket in enumerate(series)
        if place >= first
    ]


def _said(numbers: Any) -> str:
    """Without the minute, which stands above."""
    told = {name: _plain(value) for name, value in numbers.items() if name != "minute"}
    return ", ".join(f"{name} {value}" for name, value in told.items() if value)


def _plain(value: Any) -> str:
    """`[3, 40]` as 3/40, a moment as a time of day, a list as words."""
    if isinstance(value, list):
        counts = len(value) == 2 and all(isinstance(one, int) for one in value)
        return ("/" if counts else " ").join(str(one) for one in value)
    try:
        return f"{datetime.fromisoformat(value):%H:%M:%S}" if isinstance(value, str) else str(value or "")
    except ValueError:
        return value
