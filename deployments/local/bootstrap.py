"""Prefect as the embedded stack needs it: `python -m deployments.local.bootstrap`.

Idempotent, and leaves alone what ops changed by hand: paused schedules stay paused. A process of its own,
because importing Prefect takes seconds.
"""

import sys

from api.core.errors import FirstUserError
from api.settings import StackSettings, named_file
from deployments.local.layout import REPOSITORY
from deployments.local.prefect import WORK_POOL
from deployments.orchestration.deploying import deploy
from deployments.orchestration.pools import Pool

FLOW_RUN = "deployments.local.flow_run"
"""Each run is tied to its worker's life, and carries no login in its environment."""


def main() -> None:
    try:
        deploy(pool(), StackSettings.read(named_file()).schedules)
    except FirstUserError as error:
        sys.exit(str(error))


def pool() -> Pool:
    return Pool.of_processes(WORK_POOL, REPOSITORY, FLOW_RUN)


if __name__ == "__main__":
    main()
