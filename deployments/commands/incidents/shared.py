"""What the commands of `firstuser incidents` have in common: options, consoles, moments."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from api.core.errors import Refused

WIDE = 160  # columns where nobody's terminal sets the width
USAGE = 2

out = Console(soft_wrap=True, highlight=False, markup=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
By = Annotated[str, typer.Option(help="Who does it, for the record")]
Reason = Annotated[str, typer.Option(help="Why, for the record")]


def moment(text: str, now: datetime) -> datetime:
    """`14:21` (the last time that it was) or ISO 8601, in UTC. Exits with 2."""
    try:
        if len(text) <= 5:
            asked = datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007  a time of day, UTC as all here
            today = datetime.combine(now.date(), asked, UTC)
            return today if today <= now else today - timedelta(days=1)
        given = datetime.fromisoformat(text)
    except ValueError:
        err.print(f"{text!r} is no moment.\n  → Write 14:21, or 2026-11-24T14:21, in UTC.")
        raise typer.Exit(USAGE) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def refuse_usage(error: Refused) -> typer.Exit:
    """For what was typed wrong: the message, and exit code 2."""
    err.print(f"{error.message}\n  → {error.fix}")
    return typer.Exit(USAGE)
