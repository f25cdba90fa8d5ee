"""`firstuser status`: every part with its process, uptime and restarts, and whether it serves right now."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from api.core.errors import Unavailable
from api.providers.hosting.supervisor import PartProcess
from deployments.local import parts, records
from deployments.local.probes import Probe, probes
from deployments.local.stack import Stack


@dataclass(frozen=True, slots=True)
class PartStatus:
    """`state`: healthy, unhealthy (it runs but does not serve), starting, crashed, stopped, missing."""

    name: str
    title: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    restarts: int
    detail: str
    log: str


@dataclass(frozen=True, slots=True)
class StackStatus:
    running: bool
    healthy: bool
    state_dir: str
    addresses: Mapping[str, str]
    parts: tuple[PartStatus, ...]

    def document(self) -> dict[str, Any]:
        return asdict(self)


def status(stack: Stack) -> StackStatus:
    """Probes every part at once, as seen from outside."""
    try:
        seen = {found.name: found for found in stack.supervisor.parts()}
    except Unavailable:
        seen = {}
    ready = probes(stack.state, stack.settings).ready
    known = [part for part in parts.ALL if part.name in seen] or parts.wanted(stack.settings)
    with ThreadPoolExecutor(max_workers=len(known), thread_name_prefix="status") as pool:
        looks = [pool.submit(_part, stack, part, seen.get(part.name), ready.get(part.name)) for part in known]
        found = tuple(look.result() for look in looks)
    return StackStatus(
        running=bool(seen),
        healthy=bool(seen) and all(part.state == "healthy" for part in found),
        state_dir=str(stack.state.root),
        addresses={name: stack.ports.url(name) for name in ("api", "staging", "prefect")},
        parts=found,
    )


def _part(stack: Stack, part: parts.Part, seen: PartProcess | None, probe: Probe | None) -> PartStatus:
    state, detail = _judge(seen, probe)
    alive = seen is not None and seen.running
    record = records.read(stack.state, part.name)
    started = seen.started_at if seen and alive else None
    return PartStatus(
        name=part.name,
        title=part.title,
        state=state,
        pid=seen.pid if seen and alive else None,
        uptime_seconds=round((datetime.now(UTC) - started).total_seconds(), 1) if started else None,
        restarts=max(0, record.starts - 1) if record else 0,
        detail=detail,
        log=str(stack.state.log(part.name)),
    )


def _judge(seen: PartProcess | None, probe: Probe | None) -> tuple[str, str]:
    if seen is None:
        return "missing", "the supervisor does not run"
    if not seen.running:
        word = "stopped" if seen.state in {"STOPPED", "STOPPING"} else "crashed"
        return word, seen.detail
    trouble = probe() if probe else None
    if trouble is None:
        return "healthy", ""
    return ("starting" if seen.state == "STARTING" else "unhealthy"), trouble
