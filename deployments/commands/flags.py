"""`firstuser flags`: see, set and clear feature flags and pauses, and read who changed what and why.

`flags list`, `flags set KEY on|off [--scope ID] --reason WHY`, `flags clear KEY [--scope ID] --reason WHY`,
`flags history`. Without a scope the global switch is meant.
"""

import sys
from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from api.core.clock import system_clock
from api.core.errors import Refused
from api.core.flags import service
from api.core.flags.rules import EVERYWHERE, FlagKey
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import wiring

WIDE = 160  # columns where nobody's terminal sets the width
BY = "cli"

app = typer.Typer(help="Feature flags and pauses.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Scope = Annotated[str, typer.Option(help="A space (id or slug) or an integration (id); everywhere without")]
Reason = Annotated[str, typer.Option(help="Why, for the record")]


class State(StrEnum):
    ON = "on"
    OFF = "off"


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="flags")


@app.command("list")
def list_flags(as_json: AsJson = False) -> None:
    """The global switches, and what is set for single spaces and integrations."""
    open_service()
    with wiring.transaction() as session:
        found = [one for key in FlagKey for one in service.switches(session, key, [EVERYWHERE])]
        found += [one for one in service.stored_switches(session) if one.scope != EVERYWHERE]
    if as_json:
        print_json({"flags": [asdict(one) for one in found]})
        return
    rows = [
        (
            one.key.value,
            one.scope or "everywhere",
            _word(one.value),
            one.reason,
            one.changed_by,
            _when(one.changed_at),
        )
        for one in found
    ]
    out.print(table(("flag", "for", "is", "why", "who", "when"), rows))


@app.command("set")
def set_flag(
    key: FlagKey, state: State, reason: Reason, scope: Scope = EVERYWHERE, as_json: AsJson = False
) -> None:
    """Turn a flag on or off. Every API process follows within seconds."""
    open_service()
    with wiring.transaction() as session:
        place = service.resolve(session, key, scope)
        why, value = _reason(reason), state is State.ON
        changed = service.set_value(session, key, place, value, by=BY, reason=why, now=system_clock())
    _tell(key, place, _word(value), changed, as_json)


@app.command()
def clear(key: FlagKey, reason: Reason, scope: Scope = EVERYWHERE, as_json: AsJson = False) -> None:
    """Take a flag's own value back: the normal one holds again."""
    open_service()
    with wiring.transaction() as session:
        place = service.resolve(session, key, scope)
        changed = service.clear(session, key, place, by=BY, reason=_reason(reason), now=system_clock())
    _tell(key, place, "cleared", changed, as_json)


@app.command()
def history(
    key: Annotated[FlagKey | None, typer.Option(help="Of one flag only")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """Every change with who and why, newest first."""
    open_service()
    with wiring.transaction() as session:
        found = service.history(session, limit, key)
    if as_json:
        print_json({"changes": [asdict(one) for one in found]})
        return
    rows = [
        (
            _when(one.changed_at),
            one.key,
            one.scope or "everywhere",
            f"{_word(one.before)} → {_word(one.after)}",
            one.reason,
            one.changed_by,
        )
        for one in found
    ]
    out.print(
        table(("when", "flag", "for", "change", "why", "who"), rows) if rows else "Nothing was ever switched."
    )


def _reason(given: str) -> str:
    reason = " ".join(given.split())
    if not reason:
        raise Refused("A change needs a reason.", fix='Say why: --reason "incident 7".')
    return reason


def _tell(key: FlagKey, scope: str, state: str, changed: bool, as_json: bool) -> None:
    if as_json:
        print_json({"key": key.value, "scope": scope, "state": state, "changed": changed})
    else:
        out.print(f"{key.value} for {scope or 'everywhere'}: {state}{'' if changed else ' already'}")


def _word(value: bool | None) -> str:
    return {True: "on", False: "off", None: "–"}[value]


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"
