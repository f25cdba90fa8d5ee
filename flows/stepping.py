"""One bar over steps that follow one another, of which each may take long."""

from collections.abc import AsyncGenerator, Sequence
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact

from flows.away import unless_prefect_is_away


async def stepping(names: Sequence[str], what: str) -> AsyncGenerator[str]:
    """Each name in turn; the bar says how many are done, and which is at work."""
    bar: UUID | None = None
    for done, name in enumerate(names):
        bar = await _show(bar, done, len(names), f"{done} of {len(names)} {what}, now {name}")
        yield name
    if names:
        await _show(bar, len(names), len(names), f"{len(names)} of {len(names)} {what}")


async def _show(bar: UUID | None, done: int, total: int, said: str) -> UUID | None:
    share = 100.0 * done / total
    with unless_prefect_is_away():
        if bar is None:
            return await acreate_progress_artifact(progress=share, description=said)
        await aupdate_progress_artifact(artifact_id=bar, progress=share, description=said)
    return bar
