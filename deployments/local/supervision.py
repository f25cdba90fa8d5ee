"""supervisord for the stack: its configuration and its start.

Paths in the configuration are relative to the state folder, where supervisord is started: it expands percent
signs in them more than once.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from api.core.errors import TimedOut
from api.providers.hosting.supervisor import Supervisor
from deployments.local import records
from deployments.local.environment import process_environment
from deployments.local.layout import StateFolder, write_private
from deployments.local.parts import Part
from deployments.local.run import SUPERVISED

START_TIMEOUT_S = 15
LOG_LIMIT = "10MB"

SERVER = """\
[supervisord]
nodaemon=true
silent=true
logfile=logs/supervisord.log
logfile_maxbytes={limit}
logfile_backups=2
pidfile=run/supervisord.pid
childlogdir=logs
{user}
[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

PROGRAM = """
[program:{name}]
command={python} -m deployments.local.run {name}
autostart=false
autorestart=true
startsecs=2
startretries=5
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
priority={priority}
stdout_logfile=logs/{name}.log
stdout_logfile_maxbytes={limit}
stdout_logfile_backups=2
redirect_stderr=true
"""


def write_config(state: StateFolder, parts: Sequence[Part]) -> None:
    sections = [
        SERVER.format(
            socket=_escape(state.supervisor_socket),
            limit=LOG_LIMIT,
            user="user=root\n" if os.geteuid() == 0 else "",  # said outright, or it warns about it
        )
    ]
    sections += [_program(part) for part in parts]
    write_private(state.supervisor_config, "".join(sections))


def _program(part: Part) -> str:
    return PROGRAM.format(
        name=part.name,
        python=_escape(shlex.quote(sys.executable)),
        stop_signal=part.stop_signal,
        stop_seconds=part.stop_seconds,
        priority=(part.level + 1) * 100,
        limit=LOG_LIMIT,
    )


def _escape(value: object) -> str:
    return str(value).replace("%", "%%")


def launch(state: StateFolder) -> None:
    """Start supervisord in a session of its own and return once it answers."""
    state.supervisor_socket.unlink(missing_ok=True)
    environment = process_environment(state) | {SUPERVISED: "1"}
    with state.log("supervisord").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(state.supervisor_config)],
            env=environment,
            cwd=state.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    records.note(state, "supervisord", process.pid)
    _await(state, process)


def _await(state: StateFolder, process: subprocess.Popen[bytes]) -> None:
    supervisor = Supervisor(state.root)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not supervisor.alive():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimedOut(
                "The supervisor did not start.",
                provider="supervisor",
                operation="start",
                fix=f"Read {state.log('supervisord')}.",
            )
        time.sleep(0.05)
