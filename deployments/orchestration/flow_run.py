"""The process of one flow run beyond the embedded stack: Prefect's engine, with our settings.

Under a worker on the same machine it is tied to its life, as in the embedded stack. As a container or a task
of its own it has the settings that its definition brings along, by reference.
"""

import os
import runpy
import signal

from api.settings import ServiceSettings, named_file
from deployments.local import lifeline
from deployments.orchestration.connection import prefect_environment


def main() -> None:
    os.environ.update(prefect_environment(ServiceSettings.read(named_file())))
    if os.getppid() > 1:  # a container's first process has nobody to be tied to
        lifeline.tie(signal.SIGTERM)
        lifeline.end_at_the_latest()
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
