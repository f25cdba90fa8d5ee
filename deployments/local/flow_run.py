"""The process of one flow run, as the worker starts it: Prefect's engine, tied to the worker's life.

On the worker's death the run gets SIGTERM, so that its `finally` blocks still run, and is ended for good a
few seconds later. Without this, a run would outlive a killed stack.

The worker hands its login over in the environment, where /proc shows it for as long as the run takes. The
process starts anew without: the profile has it.
"""

import os
import runpy
import signal
import sys

from deployments.local import lifeline

LOGINS = ("PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING")


def main() -> None:
    if [name for name in LOGINS if os.environ.pop(name, None)]:
        os.execv(sys.executable, [sys.executable, "-m", "deployments.local.flow_run"])  # noqa: S606 - ourselves
    lifeline.tie(signal.SIGTERM)
    lifeline.end_at_the_latest()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
