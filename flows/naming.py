"""How runs are called in Prefect: `sweep/2026-11-22-0301`, the flow first and then when."""

from collections.abc import Callable

from api.core.clock import system_clock


def stamped(flow: str) -> Callable[[], str]:
    """A `flow_run_name`."""

    def name() -> str:
        return f"{flow}/{system_clock():%Y-%m-%d-%H%M}"

    return name
