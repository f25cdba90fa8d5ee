"""`firstuser incidents`: what the rollback rules say, said and would have said; what was done, and by whom.

`list`, `show`, `replay --at`, `backtest`, `evaluate FILE`, `export`; `override`, `act`, `resume`; `watch`.
"""

import typer

from deployments.commands.incidents.backtesting import backtest
from deployments.commands.incidents.deciding import act, override, resume
from deployments.commands.incidents.evaluate import evaluate
from deployments.commands.incidents.looking import watch
from deployments.commands.incidents.reading import export, list_incidents, show
from deployments.commands.incidents.replaying import replay

app = typer.Typer(help="The incident watch: rules, episodes, what was done.", no_args_is_help=True)
app.command("list")(list_incidents)
for command in (show, replay, backtest, evaluate, override, act, resume, export, watch):
    app.command()(command)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="incidents")
