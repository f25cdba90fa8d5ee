"""The evidence ledger, every hour: sign where it ends, verify all of it, keep a daily copy out of reach.

What breaks the chain turns the run red, and that pages: evidence that does not verify proves nothing.
"""

from asyncio import to_thread
from typing import Any

from prefect import flow, task
from prefect.states import Completed, Failed

from api import evidence_copies, evidence_keys
from api.core.clock import system_clock
from api.core.evidence import service
from api.core.evidence.report import LedgerReport
from api.providers.evidence.bucket import LockedBucket
from flows import hooks, reporting, wiring
from flows.naming import stamped


@flow(
    name="evidence",
    flow_run_name=stamped("evidence"),
    persist_result=False,
    on_failure=[hooks.trouble],
    on_crashed=[hooks.trouble],
    on_completion=[hooks.fine],
)
async def evidence() -> Any:
    """Sign a checkpoint, verify every record of every stream, and keep today's copy in the locked bucket.

    The copy only where FIRSTUSER_EVIDENCE_STORE_URL names a bucket. A record that was changed, removed, moved
    or inserted fails the run and is named in its report."""
    await checkpoint()
    report = await verify()
    kept = await keep_copy()
    await reporting.publish_evidence(report, kept)
    if not report.whole:
        return Failed(message=str(report.every_fault()[0]))
    records = sum(stream.records for stream in report.streams)
    return Completed(message=f"{records} records in {len(report.streams)} streams verify. {kept}")


@task(name="sign where every stream ends", persist_result=False)
async def checkpoint() -> str | None:
    def act() -> str | None:
        with wiring.transaction() as session:
            return service.checkpoint(session, system_clock())

    return await to_thread(act)


@task(name="verify every record", persist_result=False)
async def verify() -> LedgerReport:
    def act() -> LedgerReport:
        own = evidence_keys.read(wiring.settings().evidence)
        with wiring.transaction() as session:
            return service.audit(session, [own.id] if own else [])

    return await to_thread(act)


@task(name="keep today's copy", persist_result=False)
async def keep_copy() -> str:
    """In a sentence what was done. Raises what the bucket raises."""

    def act() -> str:
        bucket, now = LockedBucket.from_settings(wiring.settings()), system_clock()
        if bucket is None:
            return "No bucket is set: no copy is kept out of reach."
        if not evidence_copies.due(bucket, now):
            return "Today's copy is in the bucket."
        with wiring.transaction() as session:
            made = evidence_copies.read_whole(session, now)
        kept = evidence_copies.keep(bucket, made, now)
        return f"{kept.key} is locked ({kept.mode}) until {kept.until:%Y-%m-%d}."

    return await to_thread(act)
