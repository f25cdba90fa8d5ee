"""`firstuser evidence verify`: recompute the hash chains of the ledger and name what breaks them."""

import typer
from rich.console import Console

from api.core.evidence import service as evidence
from deployments.local.stack import open_stack
from flows import wiring

NOT_GOOD = 1

app = typer.Typer(help="The evidence ledger.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="evidence")


@app.command()
def verify() -> None:
    """Recompute every chain. Exit code 1 when a record was changed, removed or reordered."""
    open_stack()
    broken = False
    with wiring.transaction() as session:
        for stream in evidence.streams(session):
            fault = evidence.verify(session, stream)
            broken = broken or fault is not None
            length = len(evidence.records(session, stream))
            out.print(f"[red]✗[/red] {fault}" if fault else f"[green]✓[/green] {stream}: {length} records")
    if broken:
        raise typer.Exit(NOT_GOOD)
