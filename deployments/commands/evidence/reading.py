"""`firstuser evidence list | show`: what the ledger holds."""

import json
from typing import Annotated, Any

import typer

from api.core.evidence import service
from api.core.evidence.chain import Record, iso
from deployments.commands.evidence.shared import AsJson, app, out
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import wiring


@app.command("list")
def list_records(
    stream: Annotated[str | None, typer.Option(help="Only this stream")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many of the newest")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest records, of one stream or of all."""
    open_service()
    with wiring.transaction() as session:
        found = service.newest(session, stream, limit)
    if as_json:
        print_json({"records": [document(record) for record in found]})
        return
    rows = [
        (
            record.id,
            record.stream,
            str(record.seq),
            record.kind,
            iso(record.recorded_at)[:19],
            record.key_id or "–",
        )
        for record in found
    ]
    out.print(
        table(("record", "stream", "place", "kind", "recorded at (UTC)", "signed by"), rows)
        if rows
        else "There is no evidence yet."
    )


@app.command()
def show(record_id: str, as_json: AsJson = False) -> None:
    """One record with all that it says."""
    open_service()
    with wiring.transaction() as session:
        found = service.get(session, record_id)
    if as_json:
        print_json(document(found))
        return
    out.print(f"{found.name} of {found.stream}: {found.kind}, {iso(found.recorded_at)}")
    out.print(json.dumps(found.body, indent=2, ensure_ascii=False), markup=False)
    out.print(f"hash {found.hash}\nafter {found.previous_hash}\nsigned by {found.key_id or 'nobody'}")


def document(record: Record) -> dict[str, Any]:
    return {
        "id": record.id,
        "stream": record.stream,
        "seq": record.seq,
        "kind": record.kind,
        "recorded_at": iso(record.recorded_at),
        "body": record.body,
        "previous_hash": record.previous_hash,
        "hash": record.hash,
        "key_id": record.key_id,
        "signature": record.signature,
    }
