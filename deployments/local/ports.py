"""The ports of the stack, all on 127.0.0.1: chosen, kept in `stack.json`, checked before anything starts.

A port set to 0 takes any free one and keeps it for the next start; when somebody else has taken that one
by then, it takes another. A port that is not set at all stays what it was at the last start.
"""

import json
import socket
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import psutil

from api.core.errors import Conflict
from api.settings import StackSettings
from deployments.local.layout import StateFolder, write_private

HOST = "127.0.0.1"
SETTINGS = {
    "postgres": "FIRSTUSER_POSTGRES_PORT",
    "api": "FIRSTUSER_API_PORT",
    "staging": "FIRSTUSER_STAGING_PORT",
    "prefect": "FIRSTUSER_PREFECT_PORT",
}


@dataclass(frozen=True, slots=True)
class Ports:
    postgres: int
    api: int
    staging: int
    prefect: int

    def environment(self) -> dict[str, str]:
        return {SETTINGS[name]: str(port) for name, port in asdict(self).items()}

    def url(self, name: str) -> str:
        return f"http://{HOST}:{getattr(self, name)}"


def choose(settings: StackSettings, kept: Ports | None, ours: Collection[str] = ()) -> Ports:
    """Decide on every port. `ours` names those that a running part of this stack holds already.

    Raises `Conflict` for a port that is taken or wanted twice."""
    before = asdict(kept) if kept else {}
    wanted = {name: _wanted(settings, f"{name}_port", before.get(name)) for name in SETTINGS}
    held: list[socket.socket] = []
    chosen: dict[str, int] = {}
    try:
        for name in sorted(wanted, key=lambda name: wanted[name] == 0):  # fixed ones first
            if name in ours:
                chosen[name] = before[name]
            else:
                chosen[name] = _take(name, wanted[name], before.get(name, 0), chosen, held)
    finally:
        for listener in held:
            listener.close()
    return Ports(**chosen)


def _wanted(settings: StackSettings, field: str, before: int | None) -> int:
    given = field in settings.model_fields_set
    return int(getattr(settings, field)) if given or before is None else before


def _take(name: str, wanted: int, kept: int, chosen: Mapping[str, int], held: list[socket.socket]) -> int:
    for other, port in chosen.items():
        if wanted and port == wanted:
            raise Conflict(
                f"{SETTINGS[name]} and {SETTINGS[other]} are both {wanted}.",
                fix=f"Set {SETTINGS[name]} to another port; 0 takes any free one.",
                code="port_taken",
            )
    for port in (wanted,) if wanted else (kept, 0):
        listener = _bind(port) if port or not wanted else None
        if listener is not None:
            held.append(listener)
            return int(listener.getsockname()[1])
    raise Conflict(
        f"Port {wanted} is taken{_holder(wanted)}.",
        fix=f"Stop it, or set {SETTINGS[name]} to another port; 0 takes any free one.",
        code="port_taken",
    )


def _bind(port: int) -> socket.socket | None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError:
        listener.close()
        return None
    return listener


def _holder(port: int) -> str:
    """` by python3 (process 4711)`, as far as the system lets us see it."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.laddr and found.laddr.port == port and found.status == psutil.CONN_LISTEN and found.pid:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        return ""
    return ""


def read_ports(state: StateFolder) -> Ports | None:
    try:
        return Ports(**json.loads(state.stack_file.read_text())["ports"])
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise Conflict(
            f"{state.stack_file} cannot be read: {error!r}.",
            fix="Delete it: the next `firstuser up` writes it anew.",
        ) from error


def write_ports(state: StateFolder, ports: Ports) -> None:
    addresses = {name: ports.url(name) for name in ("api", "staging", "prefect")}
    document = {"ports": asdict(ports), "addresses": addresses}
    write_private(state.stack_file, json.dumps(document, indent=2) + "\n")
