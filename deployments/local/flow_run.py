"""The process of one flow run, as the worker starts it: Prefect's engine, tied to the worker's life.

On the worker's death the run gets SIGTERM, so that its `finally` blocks still run, and is ended for good a
few seconds later. Without this, a run would outlive a killed stack.
"""

import runpy
import signal

from deployments.local import lifeline


def main() -> None:
    lifeline.tie(signal.SIGTERM)
    lifeline.end_at_the_latest()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
