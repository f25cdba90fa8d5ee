"""The supervisor of the embedded stack, spoken to by XML-RPC over a unix socket in the state folder.

`state()` per part as supervisord names it: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL.
"""

import hashlib
import http.client
import os
import socket
import xmlrpc.client  # nosec B411
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from api.core.errors import NotFound, Rejected, Unavailable

LONGEST_SOCKET_PATH = 90  # the kernel takes 107 bytes; supervisord binds a longer temporary name first
# The folder made in it is private. Not TMPDIR: that differs between processes.
SHORT_PLACE = Path("/tmp")  # noqa: S108  # nosec B108
GONE_FAULTS = {10: "unknown part"}
NOT_RUNNING_FAULT = 70
ALREADY_STARTED_FAULT = 60


def socket_path(state_dir: Path) -> Path:
    """`run/supervisor.sock`, or a short private place when the state folder lies too deep for a socket."""
    path = state_dir / "run" / "supervisor.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:8]
    return SHORT_PLACE / f"firstuser-{os.getuid()}-{digest}" / "supervisor.sock"


@dataclass(frozen=True, slots=True)
class PartProcess:
    """One supervised process as the supervisor sees it. `exit_status` of the last run that ended."""

    name: str
    state: str
    pid: int
    started_at: datetime | None
    exit_status: int
    detail: str

    @property
    def running(self) -> bool:
        return self.state in {"STARTING", "RUNNING"}


class Supervisor:
    """Raises `Unavailable` when no supervisor listens, `NotFound` for a part it does not have."""

    def __init__(self, state_dir: Path, timeout_s: float = 90) -> None:
        self._socket = socket_path(state_dir)
        self._timeout_s = timeout_s

    def alive(self) -> bool:
        try:
            self._call("supervisor.getState")
        except Unavailable:
            return False
        return True

    def pid(self) -> int:
        return int(cast("int", self._call("supervisor.getPID")))

    def parts(self) -> Sequence[PartProcess]:
        found = cast("list[dict[str, Any]]", self._call("supervisor.getAllProcessInfo"))
        return [_part(info) for info in found]

    def part(self, name: str) -> PartProcess:
        return _part(cast("dict[str, Any]", self._call("supervisor.getProcessInfo", name)))

    def start(self, name: str) -> None:
        """Ask for the start and return at once: whether it serves is for a probe to say."""
        self._call("supervisor.startProcess", name, False, accept=ALREADY_STARTED_FAULT)

    def stop(self, name: str) -> None:
        """Return once the process is gone (killed when it ignored its stop signal for too long)."""
        self._call("supervisor.stopProcess", name, True, accept=NOT_RUNNING_FAULT)

    def restart(self, name: str) -> None:
        self.stop(name)
        self.start(name)

    def shutdown(self) -> None:
        """Stop every part that still runs, last started first, then the supervisor itself."""
        self._call("supervisor.shutdown")

    def _call(self, method: str, *args: str | bool, accept: int | None = None) -> object:
        proxy = xmlrpc.client.ServerProxy(
            "http://supervisor", transport=_UnixTransport(self._socket, self._timeout_s)
        )
        try:
            return getattr(proxy, method)(*args)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode == accept:
                return None
            raise _error(method, args, fault) from fault
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise Unavailable(
                f"The stack's supervisor does not answer at {self._socket} ({type(error).__name__}).",
                provider="supervisor",
                operation=method,
                fix="Start the stack with `firstuser up`.",
            ) from error


def _error(method: str, args: Sequence[object], fault: xmlrpc.client.Fault) -> NotFound | Rejected:
    if fault.faultCode in GONE_FAULTS:
        return NotFound(f"The stack has no part {args[0]!r}.", fix="`firstuser status` lists its parts.")
    return Rejected(
        f"The supervisor refused {method}{tuple(args)}: {fault.faultString}",
        provider="supervisor",
        operation=method,
    )


def _part(info: dict[str, Any]) -> PartProcess:
    running = info["statename"] in {"STARTING", "RUNNING", "STOPPING"}
    return PartProcess(
        name=str(info["name"]),
        state=str(info["statename"]),
        pid=int(info["pid"]),
        started_at=datetime.fromtimestamp(info["start"], UTC) if running and info["start"] else None,
        exit_status=int(info["exitstatus"]),
        detail=str(info["spawnerr"] or info["description"]),
    )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("supervisor", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.fspath(self._path))


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__()
        self._path = path
        self._timeout_s = timeout_s

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return _UnixConnection(self._path, self._timeout_s)
