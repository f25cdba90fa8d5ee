"""The first real call of each kind turns the partner's checklist green. Written down once per process."""

from datetime import datetime

from fastapi.concurrency import run_in_threadpool

from api.core.access import milestones
from api.core.access import service as access
from api.core.access.milestones import Key
from api.http.services import Services


async def note(at: Services, integration_id: str, key: Key, now: datetime) -> None:
    if not at.calls.noted(integration_id, key):
        await run_in_threadpool(_write, at, integration_id, key, now)
        at.calls.note(integration_id, key)


def _write(at: Services, integration_id: str, key: Key, now: datetime) -> None:
    with at.transaction() as session:
        access.called(session, integration_id, now)
        milestones.reached(session, integration_id, key, now)
