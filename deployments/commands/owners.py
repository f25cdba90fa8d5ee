"""`firstuser owners`: who answers for incidents, rollbacks and the release, and whether they were reached.

`owners list`, `owners assign ROLE NAME --email|--sms ADDRESS`, `owners call ROLE`, `owners drop ROLE`.
"""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api.core.clock import system_clock
from api.core.errors import Refused
from api.core.founders import identifiers
from api.core.preflight import owners
from api.core.preflight.owners import Assignment
from api.core.preflight.records import Role
from deployments.local.stack import open_service
from flows import wiring

app = typer.Typer(help="Owners of incidents, rollbacks and releases.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
By = Annotated[str, typer.Option(help="Who does it, for the record")]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="owners")


@app.command("list")
def list_owners(as_json: AsJson = False) -> None:
    """Who has which role, how they are reached, and when they last confirmed."""
    open_service()
    with wiring.transaction() as session:
        found = owners.all_owners(session)
    if as_json:
        rows = [
            {
                "role": one.role.value,
                "name": one.name,
                "channel": one.channel,
                "address": one.address_masked,
                "confirmed_at": one.confirmed_at.isoformat() if one.confirmed_at else None,
            }
            for one in found
        ]
        sys.stdout.write(json.dumps({"owners": rows}, indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("role", "name", "reached by", "confirmed"):
        table.add_column(column)
    for one in found:
        confirmed = f"{one.confirmed_at:%Y-%m-%d %H:%M}" if one.confirmed_at else "not yet"
        table.add_row(one.role.value, escape(one.name), f"{one.channel} {one.address_masked}", confirmed)
    out.print(table if found else "Nobody has a role yet.")


@app.command()
def assign(
    role: Role,
    name: str,
    email: Annotated[str, typer.Option(help="How they are reached")] = "",
    sms: Annotated[str, typer.Option(help="How they are reached")] = "",
    same_because: Annotated[str, typer.Option(help="Why one person has two roles")] = "",
    by: By = "cli",
    as_json: AsJson = False,
) -> None:
    """Give a role to somebody; they are sent a link by which they confirm."""
    open_service()
    if bool(email) == bool(sms):
        raise Refused("Name one way to reach them.", fix="Give either --email or --sms.")
    found = identifiers.email(email) if email else identifiers.phone(sms)
    channel = "email" if email else "sms"
    asked = Assignment(role, name, channel, found.value, same_reason=same_because)
    with wiring.transaction() as session:
        owners.assign(session, wiring.vault(), asked, by, system_clock())
    _call(role, by, as_json)


@app.command()
def call(role: Role, by: By = "cli", as_json: AsJson = False) -> None:
    """Send the owner a new link by which they confirm that they are reached."""
    open_service()
    _call(role, by, as_json)


@app.command()
def drop(role: Role, by: By = "cli", as_json: AsJson = False) -> None:
    """Nobody has the role any more."""
    open_service()
    with wiring.transaction() as session:
        owners.drop(session, role, by, system_clock())
    if as_json:
        sys.stdout.write(json.dumps({"role": role.value, "owner": None}, indent=2) + "\n")
        return
    out.print(f"Nobody is {role.value} owner now.")


def _call(role: Role, by: str, as_json: bool) -> None:
    masked = wiring.call_owner(role, by)
    if as_json:
        sys.stdout.write(json.dumps({"role": role.value, "called": masked}, indent=2) + "\n")
        return
    out.print(f"A link went to the {role.value} owner ({masked}); opening it confirms.")
