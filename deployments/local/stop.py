"""`firstuser down`: stop level by level, what others rely on last; then nothing of the stack runs any more.

Also ends what a killed supervisor left behind, and the temporary databases of drills.
"""

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import psutil

from api.core.errors import Unavailable
from api.providers.hosting.supervisor import PartProcess
from deployments.local import data, parts, records
from deployments.local.ending import end
from deployments.local.layout import StateFolder
from deployments.local.lifeline import GRACE_SECONDS
from deployments.local.lock import alone
from deployments.local.parts import Part
from deployments.local.stack import Stack

SETTLE_S = 5  # how long a survivor may take by itself: its parent's death has just told it to end
DATABASE_S = 60

Say = Callable[[str, float], None]


def down(stack: Stack, say: Say) -> None:
    with alone(stack.state):
        stop(stack, say)


def stop(stack: Stack, say: Say) -> None:
    """Idempotent: nothing running is success."""
    if stack.running:
        _stop_parts(stack, say)
        _stop_supervisor(stack)
    end_survivors(stack.state)
    data.end_copies(stack)


def _stop_parts(stack: Stack, say: Say) -> None:
    known = {part.name: part for part in parts.ALL}
    present = {found.name: found for found in stack.supervisor.parts()}
    for level in parts.levels(tuple(known[name] for name in present if name in known)):
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="down") as pool:
            stops = [pool.submit(_stop_part, stack, part, present[part.name], say) for part in level]
            for each in stops:
                each.result()


def _stop_part(stack: Stack, part: Part, seen: PartProcess, say: Say) -> None:
    began = time.monotonic()
    children = _children(seen) if part is parts.PREFECT_WORKER else []
    stack.supervisor.stop(part.name)
    # flow runs end with their worker and may still be undoing what they did
    end(children, GRACE_SECONDS)
    records.forget(stack.state, part.name)
    if seen.running:
        say(part.title, time.monotonic() - began)


def _children(seen: PartProcess) -> Sequence[psutil.Process]:
    try:
        return psutil.Process(seen.pid).children(recursive=True) if seen.pid else []
    except psutil.NoSuchProcess:
        return []


def _stop_supervisor(stack: Stack) -> None:
    supervisor = records.read(stack.state, "supervisord")
    process = supervisor.process() if supervisor else None
    try:
        stack.supervisor.shutdown()
    except Unavailable:
        return  # it went before it could answer
    if process is not None:
        end([process], SETTLE_S)
    records.forget(stack.state, "supervisord")


def end_survivors(state: StateFolder) -> None:
    """End what runs although its supervisor is gone. PostgreSQL gets the time to shut down properly."""
    found = records.survivors(state)
    end([process for name, process in found if name != parts.POSTGRES.name], SETTLE_S)
    database = [process for name, process in found if name == parts.POSTGRES.name]
    end(database, DATABASE_S, ask=signal.SIGINT)
