"""What a flow run's process logs and traces by itself, beside what Prefect keeps: lines with the run's id."""

import sys
from collections.abc import MutableMapping
from typing import Any

from api import log, tracing
from api.settings import Settings


def begin(settings: Settings) -> None:
    """In a run of a flow, whose process has imported Prefect; elsewhere nothing happens, and no command waits
    for that import."""
    if "prefect" not in sys.modules:
        return
    from prefect.runtime import flow_run

    if flow_run.id is not None:
        log.configure_ours("flows", [run_ids])
        tracing.start("firstuser-flows", settings.tracing)


def run_ids(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog: `flow_run_id`, `flow`, and within a task `task_run_id`. A line's own word counts."""
    from prefect.context import TaskRunContext
    from prefect.runtime import flow_run

    if flow_run.id is not None:
        line.setdefault("flow_run_id", flow_run.id)
        line.setdefault("flow", flow_run.flow_name)
    task = TaskRunContext.get()
    if task is not None:
        line.setdefault("task_run_id", str(task.task_run.id))
    return line
