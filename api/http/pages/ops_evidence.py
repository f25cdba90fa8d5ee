"""The evidence ledger on the Ops pages: its streams, its keys, its newest records, and its verification now.

For the homepage's owner: records name people."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api import evidence_keys
from api.core.clock import system_clock
from api.core.evidence import service
from api.core.evidence.report import LedgerReport
from api.core.evidence.trust import STREAM
from api.http.deps import At, HomepageOwner
from api.http.pages.rendering import render
from api.http.services import Services

router = APIRouter(prefix="/app/ops/evidence", include_in_schema=False)
_SHOWN = 50


@router.get("")
def page(
    request: Request,
    at: At,
    who: HomepageOwner,
    verify: Annotated[bool, Query()] = False,
    stream: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """`verify` recomputes every record, which takes the longer the longer the ledger is."""
    with at.transaction() as session:
        shown = {
            "streams": service.ends(session),
            "records": service.newest(session, stream, _SHOWN),
            "keys": service.records(session, STREAM),
        }
    report = _audit(at) if verify else None
    facts = {"who": who, "now": system_clock(), "stream": stream, "report": report}
    return render(request, "ops_evidence.html", shown | facts, title="Evidence")


@router.get("/{record_id}")
def record(request: Request, at: At, who: HomepageOwner, record_id: str) -> Response:
    with at.transaction() as session:
        found = service.get(session, record_id)
    return render(request, "ops_evidence_record.html", {"who": who, "record": found}, title="Evidence")


def _audit(at: Services) -> LedgerReport:
    own = evidence_keys.read(at.settings.evidence)
    with at.transaction() as session:
        known = {record.body.get("key_id") for record in service.records(session, STREAM)}
        return service.audit(session, [own.id] if own and own.id in known else [])
