"""`firstuser evidence verify`: recompute hashes and signatures, and name every record that breaks them."""

from pathlib import Path
from typing import Annotated

import typer

from api.core.errors import NotFound
from api.core.evidence import offline
from api.core.evidence.report import LedgerReport
from api.core.evidence.signing import PublicKey
from deployments.commands.evidence.shared import NOT_GOOD, AsJson, app, err, out, read_text
from deployments.printing import print_json


@app.command()
def verify(
    file: Annotated[Path | None, typer.Argument(help="An export; without one, the live ledger.")] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="A public key that you trust: a PEM file, or 64 hex digits. May be repeated."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="An older export: whatever it has seen has to be there still.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find every record that was changed, removed, moved or inserted, and an end that was cut off.

    An export needs no database and no settings. Exit code 1 when anything is wrong."""
    trusted = [_public_key(given).id for given in key or ()]
    report = _live(trusted, against) if file is None else offline.verify(read_text(file), trusted)
    if as_json:
        print_json({**report.to_json(), "trusted": trusted})
    else:
        _print(report, trusted, offline_file=file is not None)
    if not report.whole:
        raise typer.Exit(NOT_GOOD)


def _live(trusted: list[str], against: Path | None) -> LedgerReport:
    """Our own key is trusted, unless others are named."""
    from api import evidence_keys
    from api.core.evidence import service
    from deployments.local.stack import open_service
    from flows import wiring

    open_service()
    own = evidence_keys.read(wiring.settings().evidence)
    known = offline.heads(read_text(against)) if against else {}
    with wiring.transaction() as session:
        signed = bool(service.records(session, "signing-keys"))
        mine = [own.id] if own and (signed or service.streams(session)) else []
        return service.audit(session, trusted or mine, known)


def _public_key(given: str) -> PublicKey:
    if len(given) == 64 and not Path(given).exists():
        return PublicKey.from_hex(given)
    if not Path(given).is_file():
        raise NotFound(
            f"There is no file {given}.", fix="Name a PEM file, or the 64 hex digits of a public key."
        )
    return PublicKey.read(read_text(Path(given)))


def _print(report: LedgerReport, trusted: list[str], *, offline_file: bool) -> None:
    for stream in report.streams:
        unsigned = f", {stream.unsigned} from before there was a key" if stream.unsigned else ""
        if stream.whole:
            out.print(f"[green]✓[/green] {stream.stream}: {stream.records} records{unsigned}")
        for fault in stream.faults:
            out.print(f"[red]✗[/red] {fault}", markup=True)
        if stream.found > len(stream.faults):
            out.print(f"[red]✗[/red] {stream.stream}: {stream.found - len(stream.faults)} more")
    for fault in report.faults:
        out.print(f"[red]✗[/red] {fault}")
    if not report.streams:
        out.print("There is no evidence yet.")
    elif not report.first_key:
        err.print("Nothing is signed: set FIRSTUSER_EVIDENCE_KEY.")
    elif offline_file and not trusted:
        err.print(
            f"Its first key is {report.first_key}. Whether that is ours, only a key that you were given "
            "another way can tell: --key."
        )
