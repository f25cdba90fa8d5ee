"""Starting the server of a copy, configured to replay to its target and no further."""

import socket
import subprocess
import time
from pathlib import Path

from api.core.errors import Rejected
from api.providers.databases.embedded.archiving import restore_command
from api.providers.databases.embedded.cluster import Cluster, tail
from api.providers.databases.embedded.configuration import append_settings
from api.providers.databases.embedded.control import control_data
from api.providers.databases.embedded.processes import PROVIDER, launch
from api.providers.databases.embedded.reach import Located
from api.providers.databases.embedded.recovery import copy_settings, followed_settings

_START_SECONDS = 60


def start_copy(cluster: Cluster, located: Located, folder: Path, wal: Path, *, fsync: bool) -> int:
    """Configure `folder`/data and launch its server; returns its port, a new one when someone was faster."""
    data = folder / "data"
    account, binaries = cluster.account, cluster.binaries
    controls = [control_data(each, binaries, account) for each in (data, cluster.home.data) if each.exists()]
    (data / "recovery.signal").touch()
    account.own(data / "recovery.signal")
    for _ in range(3):
        port = _free_port()
        command = restore_command(cluster.home, wal)
        settings = copy_settings(folder.name, port, command, located.target, located.last, fsync=fsync)
        append_settings(data / "postgresql.auto.conf", {**settings, **followed_settings(*controls)})
        log = folder / "postgres.log"
        process = launch([binaries.program("postgres"), "-D", str(data)], account, log)
        if _came_up(process, data):
            return port
        if "could not bind" not in tail(log):
            break
    raise Rejected(
        f"The copy's server did not start: {tail(folder / 'postgres.log')}",
        provider=PROVIDER,
        operation="restore",
        fix="Start the drill again; free memory or ports when it says so.",
    )


def _came_up(process: subprocess.Popen[bytes], data: Path) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _listening(data):
            return True
        time.sleep(0.02)
    return False


def _listening(data: Path) -> bool:
    """The pid file gets its port line once the server has taken the port."""
    try:
        return len((data / "postmaster.pid").read_text().splitlines()) >= 6
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
