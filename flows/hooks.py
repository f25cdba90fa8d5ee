"""Crashed or failed → an alert with its runbook; completed → over. One alert per flow, not per run.

Prefect runs hooks in the run's process, or after a `kill -9` in the runner: nothing here may need the run. A
database that is away is the watcher's to tell, so its absence is logged and no more.
"""

from typing import Any

from structlog import get_logger

from api.core.alerts import service
from api.core.alerts.catalogue import FLOW
from api.core.clock import system_clock
from api.db.engine import DATABASE_ERRORS
from flows import wiring

_log = get_logger("flows.hooks")


def trouble(flow: Any, flow_run: Any, state: Any) -> None:
    """For `on_failure` and `on_crashed`."""
    facts = {"flow_run_id": str(flow_run.id), "run": str(flow_run.name), "state": str(state.name)}
    said = " ".join(str(state.message or "").split())[:500]
    try:
        with wiring.transaction() as session:
            service.raise_(
                session,
                FLOW.name,
                flow.name,
                env=wiring.settings().service.env,
                message=f"{flow.name} ended as {state.name}. {said}".strip(),
                now=system_clock(),
                metadata=facts,
            )
    except DATABASE_ERRORS as error:
        _log.warning("no alert for a failed run", flow=flow.name, kind=type(error).__name__, **facts)


def trouble_unless_answered(flow: Any, flow_run: Any, state: Any) -> None:
    """For `on_failure` of a flow whose answer may be no: that is no trouble of the flow's own."""
    if state.name == "Failed":
        trouble(flow, flow_run, state)


def fine(flow: Any, flow_run: Any, state: Any) -> None:
    """For `on_completion`."""
    try:
        with wiring.transaction() as session:
            env = wiring.settings().service.env
            service.resolve(session, FLOW.name, flow.name, env=env, now=system_clock())
    except DATABASE_ERRORS as error:
        kind, run_id = type(error).__name__, str(flow_run.id)
        _log.warning("no end of an alert told", flow=flow.name, kind=kind, flow_run_id=run_id)
