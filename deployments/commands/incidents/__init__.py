"""`firstuser incidents`: what the rollback rules say, said and would have said."""

import typer

from deployments.commands.incidents.evaluate import evaluate

app = typer.Typer(help="The incident watch: rules, episodes, what was done.", no_args_is_help=True)
app.command()(evaluate)


@app.callback()
def incidents() -> None:
    """The incident watch: rules, episodes, what was done."""


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="incidents")
