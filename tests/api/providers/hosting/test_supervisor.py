"""The supervisor's client, against a real supervisord with two tiny programs."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.core.errors import NotFound, Unavailable
from api.providers.hosting.supervisor import Supervisor, socket_path

CONFIG = """
[supervisord]
nodaemon=true
silent=true
logfile={state}/log
pidfile={state}/pid
[unix_http_server]
file={socket}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:sleeper]
command=sleep 100
autostart=false
startsecs=0
[program:failing]
command=false
autostart=false
startretries=0
"""


def until(true: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


@pytest.fixture(scope="module")
def supervisor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    state = tmp_path_factory.mktemp("a-folder-with-quite-a-long-name-so-that-no-socket-would-fit-" + "x" * 40)
    socket = socket_path(state)
    socket.parent.mkdir(parents=True, exist_ok=True)
    config = state / "conf"
    config.write_text(CONFIG.format(state=state, socket=socket))
    process = subprocess.Popen([sys.executable, "-m", "supervisor.supervisord", "-c", str(config)])
    client = Supervisor(state)
    assert until(client.alive)
    yield client
    client.shutdown()
    assert process.wait(10) == 0


def test_start_restart_stop(supervisor: Supervisor) -> None:
    supervisor.start("sleeper")
    supervisor.start("sleeper")  # already there: nothing to do
    first = supervisor.part("sleeper")
    assert first.running
    assert first.started_at is not None
    supervisor.restart("sleeper")
    assert supervisor.part("sleeper").pid not in {0, first.pid}
    supervisor.stop("sleeper")
    supervisor.stop("sleeper")
    assert not supervisor.part("sleeper").running
    assert supervisor.part("sleeper").started_at is None


def test_a_part_that_does_not_stay_up_is_given_up_on(supervisor: Supervisor) -> None:
    supervisor.start("failing")
    assert until(lambda: supervisor.part("failing").state == "FATAL")


def test_an_unknown_part(supervisor: Supervisor) -> None:
    with pytest.raises(NotFound, match="nobody"):
        supervisor.restart("nobody")


def test_no_supervisor(tmp_path: Path) -> None:
    absent = Supervisor(tmp_path)
    assert not absent.alive()
    with pytest.raises(Unavailable, match="firstuser up"):
        absent.parts()


def test_two_deep_folders_have_two_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)
    assert socket_path(deep / "a") != socket_path(deep / "b")
    assert socket_path(Path("/srv/var")) == Path("/srv/var/run/supervisor.sock")
