"""Where the watcher reports: that it lives, and the outages of which nothing could be written down."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.core.alerts import reports, service
from api.core.alerts.reports import Reply, Report
from api.core.clock import system_clock
from api.http.deps import At
from api.http.services import Services

router = APIRouter(include_in_schema=False)


@router.post(reports.PATH)
async def report(request: Request, at: At) -> Response:
    """Signed with a key that only the watcher of this installation has. Answers the silences that hold."""
    signature = request.headers.get(reports.SIGNATURE, "")
    found = reports.opened(await request.body(), signature, at.watcher_signer, system_clock())
    heard = await run_in_threadpool(_hear, at, found)
    return Response(reports.answer(heard), media_type="application/json")


def _hear(at: Services, found: Report) -> Reply:
    with at.transaction() as session:
        return service.hear(session, found, at.settings.service.env, system_clock())
