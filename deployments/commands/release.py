"""`firstuser release`: what production and staging are deployed with, one deploy after the other.

`release list [SERVICE]`, `release deploy SERVICE NAME [--set NAME=VALUE]`, `release rollback SERVICE`. On the
embedded stack a release is a name and its configuration over one checkout; on a platform a commit, or the tag
of an image, whichever the service is made from. Exit code 1 when the deploy did not come to serve.
"""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from api.core import audit
from api.core.clock import system_clock
from api.core.errors import Refused, Rejected, TimedOut
from api.core.ports import Deploy, Deployer, HostingProvider, ReleaseKeeper
from api.providers.hosting.platform import NOT_CONFIGURED
from api.settings import GROUPS
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import wiring

NOT_GOOD = 1
WIDE = 160  # columns where nobody's terminal sets the width

app = typer.Typer(help="Releases of production and staging.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
By = Annotated[str, typer.Option(help="Who does it, for the record")]
Timeout = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Seconds that it may take to serve; 120, on a platform as settings say",
        show_default=False,
    ),
]
LOCAL_S = 120.0


class Service(StrEnum):
    PRODUCTION = "production"
    STAGING = "staging"


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="release")


@app.command("list")
def list_releases(
    service: Annotated[Service | None, typer.Argument(help="Both without")] = None, as_json: AsJson = False
) -> None:
    """Every deploy, the newest first, and which one serves."""
    open_service()
    keeper = _keeper()
    found = {one.value: deploys for one in Service if (deploys := _deploys(keeper, one, service)) is not None}
    serving = {name: keeper.served(name).deploy_id for name in found}
    if as_json:
        rows = {
            name: [
                {"id": one.id, "release": one.release, "at": one.at, "irreversible": one.irreversible}
                for one in deploys
            ]
            for name, deploys in found.items()
        }
        print_json({"deploys": rows, "serving": serving})
        return
    shown = table(("service", "release", "deploy", "at", ""))
    for name, deploys in found.items():
        for one in deploys:
            said = ["serves"] if one.id == serving[name] else []
            said += ["carries a migration that cannot be taken back"] if one.irreversible else []
            cells = (name, one.release, one.id, f"{one.at:%Y-%m-%d %H:%M}", ", ".join(said))
            shown.add_row(*(escape(cell) for cell in cells))
    out.print(shown)


@app.command()
def deploy(
    service: Service,
    name: Annotated[str, typer.Argument(help="The release, like 1.4.2")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE over the service's own; repeatable")
    ] = None,
    irreversible: Annotated[
        bool, typer.Option("--irreversible", help="It carries a migration that cannot be taken back")
    ] = False,
    by: By = "cli",
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Deploy a release and wait until it serves. It is migrated for before it does, by the platform.

    Of production, the service with the API: what runs beside it works on the newer schema meanwhile, and is
    deployed next, by the platform's own way."""
    open_service()
    hosting, release, variables = wiring.hosting(), _name(name), _variables(changes or ())
    if not isinstance(hosting, Deployer):
        raise Refused(f"{hosting.name} is not told what to deploy.", fix="Ask the platform.")
    made = hosting.deploy(service.value, release, variables, irreversible=irreversible)
    _record("deploy", service, made, by, {"release": release, "variables": sorted(variables)})
    _serves(service, made, timeout, as_json)


@app.command()
def rollback(
    service: Service,
    to: Annotated[str, typer.Option(help="A deploy (dep_…); what served before, without")] = "",
    by: By = "cli",
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Deploy again what served before, and wait until it serves."""
    open_service()
    made = _keeper().roll_back(service.value, to)
    _record("rollback", service, made, by, {"to": to})
    _serves(service, made, timeout, as_json)


def _keeper() -> ReleaseKeeper:
    hosting = wiring.hosting()
    if isinstance(hosting, ReleaseKeeper):
        return hosting
    raise Refused(f"{hosting.name} does not say which releases there were.", fix="Ask the platform.")


def _deploys(keeper: ReleaseKeeper, one: Service, asked: Service | None) -> Sequence[Deploy] | None:
    """The newest first. None for what nobody asked for by its name and the settings do not know."""
    if asked not in (None, one):
        return None
    try:
        return list(reversed(keeper.deploys(one.value)))
    except Refused as refused:
        if asked or refused.code != NOT_CONFIGURED:
            raise
        err.print(f"{refused.message}\n  → {refused.fix}")
        return None


def _patience(hosting: HostingProvider) -> float:
    return LOCAL_S if hosting.name == "local" else wiring.settings().platforms.deploy_timeout_seconds


ALL_OF_IT = {"local", "fly"}  # one stack; one app with all of its machines


def _left_out(service: Service, hosting: HostingProvider) -> str:
    """What runs beside the API and keeps its release; "" where nothing does."""
    if service is not Service.PRODUCTION or hosting.name in ALL_OF_IT:
        return ""
    others = wiring.settings().platforms.production_service_list[1:]
    which = ", ".join(others) or "dispatcher, worker, watcher and beacon"
    return f"The API alone. As they were: {which}.\n  → Deploy them next, by {hosting.name} itself."


def _serves(service: Service, deploy_id: str, timeout: float | None, as_json: bool) -> None:
    """Wait until it does. Exits with 1 otherwise."""
    hosting = wiring.hosting()
    try:
        hosting.wait_live(service.value, deploy_id, timeout or _patience(hosting))
    except (Rejected, TimedOut) as error:
        back = f"`firstuser release rollback {service.value}` goes back."
        err.print(f"{error.message}\n  → {error.fix} {back}")
        raise typer.Exit(NOT_GOOD) from error
    release = next((one.release for one in _keeper().deploys(service.value) if one.id == deploy_id), "")
    if as_json:
        print_json({"service": service.value, "release": release, "deploy": deploy_id})
    else:
        out.print(f"{service.value} serves release {escape(release)} ({deploy_id}).")
    if left_out := _left_out(service, hosting):
        err.print(left_out)


def _record(what: str, service: Service, deploy_id: str, by: str, facts: Mapping[str, object]) -> None:
    with wiring.transaction() as session:
        act, detail = f"releases.{what}", {"service": service.value, **facts}
        audit.record(session, by, act, deploy_id, system_clock(), detail)


def _name(given: str) -> str:
    if not given or len(given) > 60 or not given.isprintable() or " " in given:
        raise Refused(f"{given!r} is no release's name.", fix="Write it like 1.4.2, without spaces.")
    return given


def _variables(changes: Sequence[str]) -> Mapping[str, str]:
    known = {variable for group in GROUPS.values() for variable in group.variables().values()}
    found: dict[str, str] = {}
    for change in changes:
        name, sign, value = change.partition("=")
        if not sign or name not in known:
            raise Refused(f"{name} is no setting of ours.", fix="Write NAME=VALUE, named as in .env.example.")
        found[name] = value
    return found
