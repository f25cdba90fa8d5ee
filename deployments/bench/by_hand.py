"""The references: copying the data directory (the limit), and the recovery a person would run by hand."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter, sleep
from typing import LiteralString

import psycopg

from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.processes import launch, run, stop_server

POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Recovery:
    """A prepared data directory that PostgreSQL is to recover to `moment`, and how to recognise it."""

    bin_dir: Path
    account: OsAccount
    data: Path
    port: int
    restore_command: str
    moment: datetime
    dsn: str

    def prepare(self) -> None:
        """Stock settings but for what recovery to a moment needs."""
        settings = {
            "restore_command": self.restore_command,
            "recovery_target_time": self.moment.isoformat(),
            "recovery_target_action": "pause",
            "archive_mode": "off",
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
        }
        lines = "".join(
            f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()
        )
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(lines)
        (self.data / "recovery.signal").touch()
        (self.data / "pg_wal").mkdir(exist_ok=True)
        own_tree(self.account, self.data)

    def start(self) -> None:
        log = self.data.parent / f"{self.data.name}.log"
        launch([str(self.bin_dir / "postgres"), "-D", str(self.data)], self.account, log)

    def remove(self) -> None:
        stop_server(self.data)
        shutil.rmtree(self.data, ignore_errors=True)


def wait_for_connections(dsn: str) -> None:
    while True:
        with suppress(psycopg.OperationalError):
            psycopg.connect(dsn, connect_timeout=2).close()
            return
        sleep(POLL_S)


def until_verified(dsn: str, marker: int) -> None:
    """Return once the copy stands paused at its target and shows the marker row as the newest."""
    while True:
        with suppress(psycopg.OperationalError), psycopg.connect(dsn, connect_timeout=2) as copy:
            if _value(copy, "SELECT pg_get_wal_replay_pause_state()") == "paused":
                seen = _value(copy, "SELECT max(id) FROM bench_marker")
                if seen != marker:
                    raise LookupError(f"the copy shows marker {seen}, not {marker}")
                return
        sleep(POLL_S)


def copy_of(folder: Path, target: Path) -> float:
    """Seconds that `cp -r` takes; the copy is removed again."""
    started = perf_counter()
    subprocess.run(["cp", "-r", str(folder), str(target)], check=True)
    taken = perf_counter() - started
    shutil.rmtree(target)
    return taken


def by_hand(
    backup: Path, wal: Path, make: Callable[[Path, str], Recovery], scratch: Path, marker: int
) -> float:
    """Copy a plain base backup, replay all WAL with one `cp` per segment; seconds to the first query."""
    data = scratch / "by-hand"
    started = perf_counter()
    subprocess.run(["cp", "-r", str(backup), str(data)], check=True)
    recovery = make(data, f"cp {wal}/%f %p")
    recovery.prepare()
    recovery.start()
    until_verified(recovery.dsn, marker)
    taken = perf_counter() - started
    recovery.remove()
    return taken


def own_tree(account: OsAccount, folder: Path) -> None:
    """Hand a folder over to the server's OS user, with the mode that PostgreSQL asks for."""
    if account.switch:
        subprocess.run(["chown", "-R", f"{account.uid}:{account.gid}", str(folder)], check=True)
    folder.chmod(0o700)


def initdb(bin_dir: Path, account: OsAccount, data: Path) -> None:
    """A stock cluster that trusts loopback, for the peer."""
    run(
        [
            str(bin_dir / "initdb"),
            f"--pgdata={data}",
            "--auth=trust",
            "--username=bench",
            "--data-checksums",
            "--encoding=UTF8",
        ],
        account,
        operation="initdb",
    )


def _value(connection: psycopg.Connection, query: LiteralString) -> object:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
