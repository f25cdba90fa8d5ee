"""The `firstuser` command: its shape, its exit codes, its way of saying no.

Help comes in the order of the runbook; exit codes are in it (`EXIT_CODES`), and in `docs/cli.md`.

`up down status run logs` are here; every module in `deployments/commands/` adds its own by a function
`register(app)`.
"""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from api.core.errors import FirstUserError, NotFound
from deployments import commands
from deployments.contents import EXIT_CODES, RunbookOrder, asked_for, in_panels
from deployments.local import parts
from deployments.local.stack import open_stack, state_folder

NOT_GOOD = 1
USAGE = 2
REFUSED = 3
INTERRUPTED = 130

app = typer.Typer(
    name="firstuser",
    cls=RunbookOrder,
    help="FirstUser in production: what its hardening runbook asks for, section by section.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


@app.command()
def up(as_json: AsJson = False) -> None:
    """Start the stack, or what is missing of it, and wait until all of it serves."""
    from deployments.local.start import up as start
    from deployments.local.status import status as look

    stack = start(_say)
    found = look(stack)
    if as_json:
        _print_json(found.document())
    else:
        _print_addresses(found.addresses, stack.settings.platform.homepage_owner_phone)


@app.command()
def down(as_json: AsJson = False) -> None:
    """Stop the stack. Its state stays; the next `up` continues with it."""
    from deployments.local.stop import down as stop

    stack = open_stack()
    stop(stack, _say)
    if as_json:
        _print_json({"running": False, "state_dir": str(stack.state.root)})
    else:
        out.print(f"Nothing runs any more. The state stays in {stack.state.root}.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show every part: whether it serves, process, uptime, restarts. Exit code 1 unless all is well."""
    from deployments.local.status import status as look

    found = look(open_stack())
    if as_json:
        _print_json(found.document())
    else:
        out.print(_table(found.parts))
        out.print("All parts serve." if found.healthy else "Not all is well: see the column `state`.")
    if not found.healthy:
        raise typer.Exit(NOT_GOOD)


@app.command()
def run(part: Annotated[str, typer.Argument(help="As `status` names it.")]) -> None:
    """Run one part of the stack in the foreground, as the supervisor does."""
    from deployments.local.run import main as become

    _known(part)
    open_stack()
    become(part)


@app.command()
def logs(
    part: Annotated[str, typer.Argument(help="As `status` names it; `supervisord` and `bootstrap` too.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
) -> None:
    """Show the end of one part's log."""
    state = state_folder()
    path = state.log(_known(part, "supervisord", "bootstrap"))
    if not path.exists():
        raise NotFound(
            f"There is no log of {part} in {state.logs}.", fix="Start the stack with `firstuser up`."
        )
    tail = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]
    raise typer.Exit(subprocess.run(tail, check=False).returncode)


def _known(part: str, *also: str) -> str:
    names = [*(known.name for known in parts.ALL), *also]
    if part not in names:
        raise NotFound(f"The stack has no part {part!r}.", fix=f"Choose one of: {', '.join(names)}.")
    return part


def _say(title: str, seconds: float) -> None:
    err.print(f"  [green]✓[/green] {title} [dim]{seconds:.1f} s[/dim]")


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _print_addresses(addresses: Any, owner_phone: str) -> None:
    state = state_folder()
    out.print(f"""
[bold]FirstUser runs.[/bold] State in {state.root}
  product     {addresses["api"]}
  staging     {addresses["staging"]}
  Prefect UI  {addresses["prefect"]}   user and password: {state.prefect_login}
Log in at {addresses["api"]}/login as {owner_phone}; the code arrives at {addresses["api"]}/outbox
Stop it with `firstuser down`.""")


def _table(found: Sequence[Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("part", "state", "process", "uptime", "restarts", "detail"):
        table.add_column(column)
    for part in found:
        colour = {"healthy": "green", "starting": "yellow"}.get(part.state, "red")
        table.add_row(
            part.name,
            f"[{colour}]{part.state}[/{colour}]",
            str(part.pid or "–"),
            f"{part.uptime_seconds:.0f} s" if part.uptime_seconds is not None else "–",
            str(part.restarts),
            part.detail,
        )
    return table


def _register_commands(asked: Sequence[str]) -> None:
    """The others' modules load the whole product: seconds that `status`, or one TAB, must not cost."""
    own = {command.callback.__name__ for command in app.registered_commands if command.callback}
    wanted = asked_for(asked)
    modules = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    if wanted in own:
        modules = []
    elif wanted in modules:
        modules = [wanted]
    for module in modules:
        importlib.import_module(f"{commands.__name__}.{module}").register(app)
    in_panels(app)


def everything() -> typer.Typer:
    """The whole command, every module loaded."""
    _register_commands([])
    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; refusals become one message and an exit code, never a traceback."""
    asked = list(sys.argv[1:] if argv is None else argv)
    _register_commands(asked)
    try:
        app(args=asked, prog_name="firstuser")
    except FirstUserError as error:
        err.print(f"[red]{error.code}:[/red] {error.message}", markup=True)
        if error.fix:
            err.print(f"  → {error.fix}")
        sys.exit(REFUSED)
    except ValidationError as error:
        for wrong in error.errors():
            name = "_".join(str(step) for step in wrong["loc"])
            err.print(f"[red]settings:[/red] {name.upper()}: {wrong['msg']}")
        sys.exit(USAGE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
