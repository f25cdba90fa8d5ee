"""`firstuser alerts`: what is wrong, who knows of it, and whether an alert would reach anybody.

`alerts list [ID]`, `alerts test`, `alerts ack ID --by NAME`, `alerts silence --owner NAME --reason WHY`,
`alerts unsilence ID --by NAME`, `alerts channels [--revive NAME]`.
"""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from api.core.alerts import outbox, service, views
from api.core.alerts.views import LEVELS, AlertView
from api.core.clock import system_clock
from api.core.errors import NotFound
from deployments import watch_file
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import wiring

WIDE = 160  # columns where nobody's terminal sets the width
DEAD_MAN_SILENCE = timedelta(minutes=3)
BY = "cli"

app = typer.Typer(help="Alerts: open ones, tests, silences, channels.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
By = Annotated[str, typer.Option(help="Who does it, for the record")]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="alerts")


@app.command("list")
def list_alerts(
    alert_id: Annotated[str | None, typer.Argument(help="One alert, with everything it stands for")] = None,
    ended: Annotated[bool, typer.Option("--ended", help="Those that ended of late")] = False,
    as_json: AsJson = False,
) -> None:
    """Open alerts, the worst first, and the silences that hold."""
    open_service()
    base, now = wiring.settings().alerts.runbooks_url, system_clock()
    with wiring.transaction() as session:
        if alert_id:
            _show(views.alert(session, alert_id, base), views.occurrences(session, alert_id), as_json)
            return
        found = views.ended_alerts(session, base) if ended else views.open_alerts(session, base)
        silences = views.silences(session, now)
    if as_json:
        print_json({"alerts": [asdict(one) for one in found], "silences": [asdict(one) for one in silences]})
        return
    rows = [(one.id, one.severity, one.title, one.scope, str(one.seen), LEVELS[one.receipt]) for one in found]
    out.print(
        table(("alert", "severity", "title", "scope", "seen", "receipt"), rows) if rows else "No alert."
    )
    for one in silences:
        held = one.rule or "everything"
        out.print(f"{one.id} silences {held} until {one.expires_at:%H:%M}: {one.reason} ({one.owner})")


@app.command()
def test(by: By = BY, as_json: AsJson = False) -> None:
    """Send a test alert by the way of every other one; `alerts list ID` shows how far it got."""
    open_service()
    with wiring.transaction() as session:
        alert_id = service.test(session, wiring.settings().service.env, by, system_clock())
    with redirect_stdout(sys.stderr):  # what it logs is no part of the answer
        wiring.alert_desk().send_due()
    with wiring.transaction() as session:
        found = views.alert(session, alert_id, wiring.settings().alerts.runbooks_url)
    if as_json:
        print_json({"id": alert_id, "receipt": found.receipt})
    else:
        out.print(f"{alert_id}: {LEVELS[found.receipt]}. Acknowledge it by the link in the message.")


@app.command()
def ack(alert_id: str, by: By, as_json: AsJson = False) -> None:
    """Say that a person has it."""
    open_service()
    with wiring.transaction() as session:
        service.acknowledge(session, alert_id, by, system_clock())
        found = views.alert(session, alert_id, "")
    if as_json:
        print_json({"id": alert_id, "acknowledged_by": found.acknowledged_by})
    else:
        out.print(f"{alert_id}: acknowledged by {found.acknowledged_by}.")


@app.command()
def silence(
    owner: Annotated[str, typer.Option(help="Who answers for it")],
    reason: Annotated[str, typer.Option(help="Why, for the record")],
    rule: Annotated[str, typer.Option(help="One rule; all without")] = "",
    scope: Annotated[str, typer.Option(help="One scope: an endpoint, a loop, a flow")] = "",
    app_id: Annotated[str, typer.Option("--app", help="One integration (int_…)")] = "",
    minutes: Annotated[float, typer.Option(help="How long")] = 60,
    as_json: AsJson = False,
) -> None:
    """Hold messages back for a while. What is raised meanwhile is kept, and sent afterwards."""
    open_service()
    with wiring.transaction() as session:
        silence_id = service.silence(
            session,
            rule=rule,
            scope=scope,
            app_id=app_id,
            owner=owner,
            reason=reason,
            length=timedelta(minutes=minutes),
            now=system_clock(),
        )
    if as_json:
        print_json({"id": silence_id})
    else:
        out.print(f"{silence_id} holds for {minutes:g} minutes.")


@app.command()
def unsilence(silence_id: str, by: By = BY, as_json: AsJson = False) -> None:
    """End a silence early."""
    open_service()
    with wiring.transaction() as session:
        service.unsilence(session, silence_id, by, system_clock())
    if as_json:
        print_json({"id": silence_id, "ended": True})
    else:
        out.print(f"{silence_id} has ended.")


@app.command()
def channels(
    revive: Annotated[str, typer.Option(help="Try a dead channel again")] = "", as_json: AsJson = False
) -> None:
    """Where alerts go, which channels are dead, and whether the watcher's dead-man URL hears it (L3)."""
    open_service()
    now, configured = system_clock(), wiring.settings()
    with wiring.transaction() as session:
        if revive and not outbox.revive(session, revive, configured.service.env, now):
            raise NotFound(f"There is no channel {revive!r}.", fix="Name it as `alerts channels` does.")
        known = {one.name: one for one in views.channels(session)}
        waiting = views.waiting(session, now)
        loops = views.loops(session)
        reported = next(iter(views.watchers(session)), None)
    memory = watch_file.read(configured.alerts.watcher_state_file or _default_memory())
    times = [memory.dead_man_ok_at, reported.dead_man_ok_at if reported else None]
    heard = max((time for time in times if time), default=None)
    alive = heard is not None and now - heard <= DEAD_MAN_SILENCE
    listed = [
        {
            "name": name,
            "kind": channel.kind,
            "dead_since": known[name].dead_since if name in known else None,
            "problem": known[name].problem if name in known else "",
        }
        for name, channel in wiring.alert_desk().channels.items()
    ]
    document = {"channels": listed, "waiting": waiting, "loops": [asdict(one) for one in loops]}
    looked = reported.reported_at if reported else memory.looked_at
    watched = {"watcher_looked_at": looked, "dead_man_heard_at": heard, "dead_man_alive": alive}
    if as_json:
        print_json(document | watched)
        return
    rows = [(str(one["name"]), str(one["kind"]), str(one["dead_since"] or "alive")) for one in listed]
    out.print(table(("channel", "kind", "state"), rows))
    out.print(f"{waiting} messages wait. The watcher looked at {looked or 'nothing yet'}.")
    out.print(f"Dead-man switch (L3): {'alive' if alive else 'not heard'}.")


def _default_memory() -> Path:
    return wiring.settings().stack.state_dir / "watcher.json"


def _show(found: AlertView, seen: Sequence[tuple[datetime, Any]], as_json: bool) -> None:
    if as_json:
        listed = [{"at": at, **detail} for at, detail in seen]
        print_json(asdict(found) | {"occurrences": listed})
        return
    out.print(f"{found.severity}: {found.title} ({found.id})\n{found.message}\nRunbook: {found.runbook}")
    out.print(f"Receipt: {LEVELS[found.receipt]}. {found.acknowledged_by or ''}")
    rows = [(m.kind, m.state, m.channel, str(m.attempts), m.problem) for m in found.messages]
    out.print(table(("message", "state", "channel", "attempts", "problem"), rows))
    for at, detail in seen:
        out.print(f"{at:%Y-%m-%d %H:%M:%S} {', '.join(f'{name} {value}' for name, value in detail.items())}")
