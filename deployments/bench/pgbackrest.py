"""The peer: pgBackRest with Debian's PostgreSQL 15, given the same data and the same WAL. Skipped where the
packages `pgbackrest` and `postgresql-15` are not installed."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.processes import launch, run, stop_server
from deployments.bench.by_hand import initdb, until_verified, wait_for_connections

DEBIAN_BIN = Path("/usr/lib/postgresql/15/bin")
STANZA = "bench"
PROCESSES = 2


def installed() -> bool:
    return shutil.which("pgbackrest") is not None and (DEBIAN_BIN / "postgres").exists()


@dataclass(frozen=True, slots=True)
class Peer:
    """A PostgreSQL 15 that archives through pgBackRest into a repository of its own below `root`."""

    root: Path
    account: OsAccount
    port: int

    @property
    def dsn(self) -> str:
        return f"postgresql://bench@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        return self.root / "data15"

    def start(self) -> None:
        for folder in ("repo", "log", "lock", "socket"):
            (self.root / folder).mkdir(mode=0o700)
            self.account.own(self.root / folder)
        self._configure()
        initdb(DEBIAN_BIN, self.account, self.data)
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.root / "socket",
            "archive_mode": "on",
            "archive_command": " ".join([*self._command("archive-push"), "%p"]),
            "max_wal_size": "4GB",
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        launch([str(DEBIAN_BIN / "postgres"), "-D", str(self.data)], self.account, self.root / "data15.log")
        wait_for_connections(self.dsn)
        self._run("stanza-create")

    def stop(self) -> None:
        stop_server(self.data)

    def forget_data(self) -> None:
        """Restores need the repository only; without the data the page cache can hold what they read."""
        self.stop()
        shutil.rmtree(self.data)

    def back_up(self) -> None:
        self._run("--type=full", "--start-fast", "backup")

    def restore(self, moment: datetime, marker: int, port: int) -> float:
        """Restore to `moment` into a fresh directory; seconds to the first verified query."""
        copy = self.root / "copy15"
        copy.mkdir(mode=0o700)
        self.account.own(copy)
        target = ["--type=time", f"--target={moment.isoformat(sep=' ')}", "--target-action=pause"]
        started = perf_counter()
        self._run(*target, f"--pg1-path={copy}", "--archive-mode=off", "restore")
        with (copy / "postgresql.auto.conf").open("a") as file:
            file.write(f"port = '{port}'\nunix_socket_directories = ''\n")
        launch([str(DEBIAN_BIN / "postgres"), "-D", str(copy)], self.account, self.root / "copy15.log")
        until_verified(f"postgresql://bench@127.0.0.1:{port}/postgres", marker)
        taken = perf_counter() - started
        stop_server(copy)
        shutil.rmtree(copy)
        return taken

    def push_seconds(self, segment: Path) -> float:
        """One `archive-push`, as the server calls it for every segment."""
        started = perf_counter()
        self._run("archive-push", str(segment))
        return perf_counter() - started

    def _run(self, *words: str) -> None:
        run(self._command(*words), self.account, operation=f"pgbackrest {words[-1]}")

    def _configure(self) -> None:
        """A file and not arguments: pgBackRest refuses arguments that a command has no use for."""
        lines = [
            "[global]",
            f"repo1-path={self.root / 'repo'}",
            "repo1-retention-full=2",
            f"log-path={self.root / 'log'}",
            f"lock-path={self.root / 'lock'}",
            f"process-max={PROCESSES}",
            "compress-type=zst",
            f"[{STANZA}]",
            f"pg1-path={self.data}",
            f"pg1-port={self.port}",
            f"pg1-socket-path={self.root / 'socket'}",
            "pg1-user=bench",
        ]
        self._configuration.write_text("\n".join(lines) + "\n")
        self.account.own(self._configuration)

    @property
    def _configuration(self) -> Path:
        return self.root / "pgbackrest.conf"

    def _command(self, *words: str) -> list[str]:
        return ["pgbackrest", f"--config={self._configuration}", f"--stanza={STANZA}", *words]
