"""The order of `firstuser --help`: the runbook's. A command that is not in it fails the suite."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

EXIT_CODES = """Exit codes: 0 done and good; 1 not good (a failed drill, an unhealthy stack, broken evidence);
2 wrong usage or settings; 3 refused, with the reason and what to do about it; 130 interrupted.
`preflight` has its own: 0 go, 4 go with warnings or waivers, 3 no-go, 2 bad configuration,
1 the tool failed. Every command that prints data takes --json: one object on stdout, the rest on stderr."""

PANELS: Mapping[str, Sequence[str]] = {
    "1 · Infrastructure: the stack": (
        "up",
        "down",
        "status",
        "run",
        "logs",
        "serve",
        "migrate",
        "deploy",
        "release",
        "providers",
    ),
    "2 · Backup and restore": ("backups", "drill"),
    "3 · Settings": ("env",),
    "4 · Monitoring and alerting": ("alerts",),
    "5 · Secrets": ("rotate", "reencrypt", "webhooks"),
    "6 · Go-live preflight": ("preflight", "owners"),
    "7 · Incidents and rollback": ("incidents", "flags"),
    "Evidence of all of it": ("evidence",),
    "To see it work": ("demo", "bench", "bench-compare"),
}
NOT_GOOD: Mapping[str, str] = {
    "status": "not every part serves",
    "env check": "a variable is missing or wrong",
    "providers check": "a credential does not work",
    "release deploy": "the release did not come to serve",
    "release rollback": "the release did not come to serve",
    "drill": "the drill did not pass",
    "drill release": "the copy, or staging, is not what it should be",
    "reencrypt": "something still waits for the current key",
    "rotate run": "something was not proven",
    "rotate rollback": "something was not proven",
    "rotate retire": "something was not proven",
    "rotate finish": "something was not proven",
    "webhooks verify": "the signature is not accepted",
    "incidents evaluate": "a rule trips",
    "evidence verify": "the ledger, or a copy of it, does not verify",
    "demo": "not all of it is true",
    "bench": "a goal is missed",
    "bench-compare": "a goal that was met is missed",
}
"""Commands that end with 1 when what they looked at is not good, in words."""
_GO = "0 GO; 4 GO with warnings or waivers; 3 NO-GO"
PREFLIGHTS: Mapping[str, str] = {
    "preflight": _GO,
    "preflight show": _GO,
    "preflight rehearse": "0 back and forth",
}
ORDER = [name for names in PANELS.values() for name in names]


class RunbookOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=place)


def place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def in_panels(app: typer.Typer) -> None:
    """Every command and group of `app` under the runbook's section, each with its exit codes."""
    for group in app.registered_groups:
        group.rich_help_panel = _panel(str(group.name))
        group.epilog = exit_codes(str(group.name))
        for command in group.typer_instance.registered_commands if group.typer_instance else []:
            command.epilog = exit_codes(f"{group.name} {_name(command)}")
    for command in app.registered_commands:
        command.rich_help_panel = _panel(_name(command))
        command.epilog = exit_codes(_name(command))


def exit_codes(command: str) -> str:
    """As the help of that command ends."""
    if command in PREFLIGHTS:
        return f"Exit codes: {PREFLIGHTS[command]}; 2 bad configuration; 1 the tool failed; 130 interrupted."
    bad = f"1 {NOT_GOOD[command]}; " if command in NOT_GOOD else ""
    return (
        f"Exit codes: 0 done and good; {bad}2 wrong usage or settings; 3 refused, and why; 130 interrupted."
    )


def _name(command: Any) -> str:
    return command.name or str(getattr(command.callback, "__name__", "")).replace("_", "-")


def _panel(name: str) -> str | None:
    return next((panel for panel, names in PANELS.items() if name in names), None)


def asked_for(words: Sequence[str]) -> str:
    """The command that is meant: also while the shell completes what follows it."""
    if "_FIRSTUSER_COMPLETE" not in os.environ:
        return words[0] if words else ""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    try:
        typed = shlex.split(line)[1:]
    except ValueError:
        typed = line.split()[1:]
    complete = len(typed) > 1 or (typed and line.endswith((" ", "\n")))
    return typed[0] if complete else ""
