"""One part's process: `python -m deployments.local.run <part>`, started by the supervisor.

Ties itself to the supervisor's life, records its process id, takes on the part's environment file, and
becomes the part. Imports of the parts stay inside: each process loads only what it needs.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from deployments.local import lifeline, records
from deployments.local.layout import StateFolder

SUPERVISED = "FIRSTUSER_SUPERVISED"


def main(name: str) -> None:
    state = StateFolder(Path(os.environ["FIRSTUSER_STATE_DIR"]))
    if os.environ.get(SUPERVISED):
        records.note(state, name, os.getpid())
    PARTS[name](state)


def _tie(death_signal: signal.Signals) -> None:
    if os.environ.get(SUPERVISED):
        lifeline.tie(death_signal)


def _log_as(part: str) -> None:
    from api import log

    log.configure(part)


def _postgres(_state: StateFolder) -> None:
    from api.providers.databases.embedded.cluster import Cluster
    from api.settings import load

    # a fast shutdown; tied after the change of user, which clears the tie
    Cluster.from_settings(load()).run_in_place(before_exec=lambda: _tie(signal.SIGINT))


def _archiver(_state: StateFolder) -> None:
    from api.providers.databases.embedded.archiver import main as archive

    _log_as("archiver")
    _tie(signal.SIGTERM)
    archive()


def _prefect_server(state: StateFolder) -> None:
    from deployments.local.prefect import encryption_key
    from deployments.orchestration.server import ENCRYPTION_KEY

    # set here and not before an exec: so it does not show in /proc
    os.environ[ENCRYPTION_KEY] = encryption_key(state)
    _prefect("server", "start")


def _prefect_worker(state: StateFolder) -> None:
    from api import log
    from deployments.local.prefect import WORK_POOL
    from deployments.orchestration.abandoned import end_abandoned

    # it works in a folder of a fixed name in there, which another user of this machine may own in /tmp
    os.environ["TMPDIR"] = str(state.temporary)
    log.configure_ours("worker")  # the rest is Prefect's
    end_abandoned(WORK_POOL, WORK_POOL)
    _prefect("worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", WORK_POOL)


def _prefect(*command: str) -> None:
    import runpy

    _tie(signal.SIGKILL)
    sys.argv = ["prefect", *command]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


def _api(environment: str) -> Callable[[StateFolder], None]:
    def serve(state: StateFolder) -> None:
        from api.providers.hosting import releases
        from api.providers.hosting.pointer import read_pointer

        _tie(signal.SIGKILL)
        os.environ["FIRSTUSER_ENV_FILE"] = str(state.env_file(environment))
        pointer = read_pointer(state.root, environment)
        pointed, released = pointer.environment(), releases.environment(state.root, environment)
        os.environ.update({**pointed, **released} if pointer.at_home else {**released, **pointed})
        _serve_http()

    return serve


def _serve_http() -> None:
    from api.settings import load
    from deployments.local.ports import HOST
    from deployments.serve import serve

    settings = load()
    port = settings.stack.api_port if settings.service.env == "production" else settings.stack.staging_port
    serve(HOST, port)


def _dispatcher(_state: StateFolder) -> None:
    from deployments.dispatcher import main as dispatcher

    _tie(signal.SIGTERM)
    dispatcher()


def _beacon(_state: StateFolder) -> None:
    from deployments.local.beacon import main as beacon

    _log_as("beacon")
    _tie(signal.SIGKILL)
    beacon()


def _traffic(_state: StateFolder) -> None:
    from deployments.local.traffic import main as traffic

    _tie(signal.SIGKILL)
    traffic([])  # at the address and the rate of the settings


def _health(state: StateFolder) -> None:
    from deployments.local.health import watch

    _log_as("health")
    _tie(signal.SIGKILL)
    watch(state)


def _watcher(_state: StateFolder) -> None:
    from deployments.watcher import main as watch

    _tie(signal.SIGKILL)
    watch()


PARTS: dict[str, Callable[[StateFolder], None]] = {
    "postgres": _postgres,
    "archiver": _archiver,
    "prefect-server": _prefect_server,
    "prefect-worker": _prefect_worker,
    "api-production": _api("production"),
    "api-staging": _api("staging"),
    "dispatcher": _dispatcher,
    "beacon": _beacon,
    "traffic": _traffic,
    "health": _health,
    "watcher": _watcher,
}


if __name__ == "__main__":
    main(sys.argv[1])
