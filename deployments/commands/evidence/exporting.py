"""`firstuser evidence export`: the ledger as a file for auditors, and into the bucket that keeps it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api import evidence_copies
from api.core.clock import system_clock
from api.core.errors import Refused
from api.core.evidence import exports, service
from api.core.evidence.exports import Export
from api.providers.evidence.bucket import LockedBucket
from deployments.commands.evidence.shared import AsJson, app, err, out
from deployments.local.layout import write_private
from deployments.local.stack import open_service
from deployments.printing import print_json
from flows import wiring


class Form(StrEnum):
    JSON = "json"
    CSV = "csv"
    HTML = "html"


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; stdout without one.")] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="By the file's ending, or json, unless it is given.")
    ] = None,
    bucket: Annotated[
        bool, typer.Option("--bucket", help="Into the bucket of FIRSTUSER_EVIDENCE_STORE_URL, locked.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the whole ledger, with a fresh checkpoint at its end. Any form verifies without us."""
    open_service()
    with wiring.transaction() as session:
        made = evidence_copies.read_whole(session, system_clock())
    if bucket:
        _keep(made, as_json)
        return
    chosen = form.value if form else _form_of(file)
    text = exports.render(made, chosen)
    if file is None:
        sys.stdout.write(text)
        return
    write_private(file, text)
    document = {
        "file": str(file),
        "format": chosen,
        "records": sum(head.seq for head in made.heads.values()),
        "heads": {stream: head.to_json() for stream, head in made.heads.items()},
        "signed_by": made.key_id,
    }
    if as_json:
        print_json(document)
    else:
        out.print(f"{document['records']} records in {file}. Check it: firstuser evidence verify {file}")
    if made.key_id is None:
        err.print("It is not signed: set FIRSTUSER_EVIDENCE_KEY.")


@app.command()
def checkpoint(as_json: AsJson = False) -> None:
    """Sign where every stream ends now, so that an end cut off later is missed."""
    open_service()
    with wiring.transaction() as session:
        made = service.checkpoint(session, system_clock())
    if as_json:
        print_json({"checkpoint": made})
    else:
        out.print(f"Checkpoint {made}." if made else "Nothing has come since the last checkpoint.")


def _keep(made: Export, as_json: bool) -> None:
    bucket = LockedBucket.from_settings(wiring.settings())
    if bucket is None:
        raise Refused(
            "No bucket is set.",
            fix="Set FIRSTUSER_EVIDENCE_STORE_URL to s3://bucket/prefix, with object lock.",
        )
    kept = evidence_copies.keep(bucket, made, system_clock())
    if as_json:
        print_json({"key": kept.key, "mode": kept.mode, "until": kept.until, "fresh": kept.fresh})
    else:
        said = "is kept" if kept.fresh else "was kept before"
        out.print(f"{kept.key} {said}: {kept.mode} until {kept.until:%Y-%m-%d %H:%M} UTC.")


def _form_of(file: Path | None) -> str:
    ending = file.suffix.removeprefix(".") if file else "json"
    if ending in exports.FORMS:
        return ending
    raise Refused(
        f"{file} says by its ending no form that there is.",
        fix="End it in .json, .csv or .html, or --format.",
    )
