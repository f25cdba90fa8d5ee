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
ORDER = [name for names in PANELS.values() for name in names]


class RunbookOrder(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=place)


def place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def in_panels(app: typer.Typer) -> None:
    """Every command and group of `app` under the runbook's section."""
    for group in app.registered_groups:
        group.rich_help_panel = _panel(str(group.name))
    for command in app.registered_commands:
        name = command.name or str(getattr(command.callback, "__name__", ""))
        command.rich_help_panel = _panel(name)


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
