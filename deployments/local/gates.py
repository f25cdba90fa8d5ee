"""Waiting for a part to serve, by its probe; a part that gives up is reported with the end of its log."""

import time
from threading import Event

from api.core.errors import TimedOut, Unavailable
from api.providers.hosting.supervisor import Supervisor
from deployments.local import records
from deployments.local.layout import StateFolder
from deployments.local.parts import Part
from deployments.local.probes import Probe

POLL_S = 0.1
LOG_LINES = 15
STARTS_ALLOWED = 3  # one that dies late enough never counts as given up on, however often it dies


def await_ready(
    state: StateFolder, part: Part, probe: Probe | None, timeout_s: float, abandoned: Event
) -> None:
    """Raises `Unavailable` when the part does not stay up, or when waiting for it was `abandoned`, and
    `TimedOut` when it does not serve in time."""
    supervisor = Supervisor(state.root)
    deadline = time.monotonic() + timeout_s
    last_start = _starts(state, part) + STARTS_ALLOWED
    while (trouble := _trouble(supervisor, part, probe)) is not None:
        if time.monotonic() > deadline:
            raise TimedOut(
                f"{part.title} does not serve after {timeout_s:.0f} s: {trouble}.\n{log_end(state, part)}",
                provider="stack",
                operation="start",
                fix=f"Read {state.log(part.name)}.",
            )
        if supervisor.part(part.name).state == "FATAL" or _starts(state, part) > last_start:
            raise Unavailable(
                f"{part.title} does not stay up.\n{log_end(state, part)}",
                provider="stack",
                operation="start",
                fix=f"Read {state.log(part.name)}.",
            )
        if abandoned.wait(POLL_S):
            raise Unavailable(
                f"{part.title} was not waited for: another part failed.", provider="stack", operation="start"
            )


def _starts(state: StateFolder, part: Part) -> int:
    record = records.read(state, part.name)
    return record.starts if record else 0


def _trouble(supervisor: Supervisor, part: Part, probe: Probe | None) -> str | None:
    if probe is not None:
        return probe()
    return None if supervisor.part(part.name).running else "it does not run"


def log_end(state: StateFolder, part: Part) -> str:
    try:
        text = state.log(part.name).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"  | {line}" for line in text.splitlines()[-LOG_LINES:])
