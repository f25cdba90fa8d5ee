"""The live server: created once, started in the foreground by a supervisor or in the background by tests."""

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from api.core.errors import Refused, TimedOut, Unavailable
from api.providers.databases.embedded import passwords, roles
from api.providers.databases.embedded.account import OsAccount, choose_account
from api.providers.databases.embedded.archiving import archive_command, install_scripts
from api.providers.databases.embedded.binaries import Binaries, locate_binaries, within_reach
from api.providers.databases.embedded.configuration import BASE, FILE_NAME, append_settings, write_settings
from api.providers.databases.embedded.home import PostgresHome, open_home
from api.providers.databases.embedded.processes import (
    PROVIDER,
    environment,
    launch,
    postmaster_pid,
    postmaster_port,
    run,
    stop_server,
)
from api.settings import Settings
from api.settings.store import StoreSettings


@dataclass(frozen=True, slots=True)
class Cluster:
    """`port` is where it will listen; `running_port` where it does."""

    home: PostgresHome
    account: OsAccount
    binaries: Binaries
    port: int
    store: StoreSettings

    @classmethod
    def from_settings(cls, settings: Settings, port: int | None = None) -> "Cluster":
        """`port` overrides the setting (the stack resolves 0 to a free one)."""
        stack = settings.stack
        account = choose_account(stack.postgres_os_user)
        home = open_home(stack.state_dir, account)
        binaries = within_reach(locate_binaries(stack.postgres_bin_dir), account, home.binaries)
        return cls(home, account, binaries, stack.postgres_port if port is None else port, settings.store)

    @property
    def exists(self) -> bool:
        return (self.home.data / "PG_VERSION").exists()

    @property
    def running_port(self) -> int | None:
        return postmaster_port(self.home.data)

    def initialise(self, *, durable: bool = True) -> None:
        """Create the cluster, whole or not at all. Nothing to do when it exists.

        Raises `Refused` for one whose passwords are gone: its state folder was removed, and it was not."""
        if self.exists and not self.home.pgpass.exists():
            raise Refused(
                f"The database in {self.home.root} has lost its passwords ({self.home.pgpass}).",
                fix=f"Put the state folder's secrets back, or remove {self.home.root} to begin anew.",
            )
        made = passwords.ensure_passwords(self.home.pgpass, roles.ALL)
        passwords.copy_for(self.account, self.home.pgpass, self.home.server_pgpass)
        if not self.exists:
            self._initdb(made[roles.ADMIN], durable=durable)

    def command(self) -> list[str]:
        """The server's argv, for the foreground. Call `configure` first."""
        return [self.binaries.program("postgres"), "-D", str(self.home.data), "-c", f"port={self.port}"]

    def configure(self) -> None:
        """Write what depends on where the state folder and the store are today."""
        install_scripts(self.home, self.account, self.store)
        settings = {**BASE, "archive_command": archive_command(self.home, self.store)}
        write_settings(self.home.data / FILE_NAME, settings, self.account)

    def run_in_place(self, before_exec: Callable[[], None] = lambda: None) -> None:
        """Become the server: drop to its OS user, call `before_exec` as that user, exec. Returns never."""
        self.configure()
        if self.account.switch:
            os.setgroups([])
            os.setgid(self.account.gid)
            os.setuid(self.account.uid)
        os.chdir("/")
        argv = self.command()
        before_exec()
        os.execve(argv[0], argv, environment())  # noqa: S606 - becoming the server is the purpose

    def start(self, timeout_s: float = 60) -> None:
        """Start in the background and wait until it answers and holds every role and database."""
        if postmaster_pid(self.home.data) is None:
            self.configure()
            launch(self.command(), self.account, self.home.log)
        self.wait_ready(timeout_s)
        self.prepare()

    def stop(self, timeout_s: float = 30) -> None:
        """A fast shutdown. Nothing to do when it does not run."""
        stop_server(self.home.data, timeout_s=timeout_s)

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Return once the server takes connections. Raises `TimedOut` with the end of its log."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.dsn("admin", "postgres"), connect_timeout=2).close()
                return
            time.sleep(0.05)
        raise TimedOut(
            f"PostgreSQL took no connections on port {self.port} within {timeout_s:.0f} s. {self.log_end()}",
            provider=PROVIDER,
            operation="start",
            fix=f"Read {self.home.log}; another process may hold the port (FIRSTUSER_POSTGRES_PORT).",
        )

    def prepare(self) -> None:
        """Roles, databases and privileges, on a running server. Safe to run again."""
        made = passwords.read_passwords(self.home.pgpass)
        with psycopg.connect(self.dsn("admin", "postgres"), autocommit=True) as connection:
            roles.ensure_roles(connection, made)
            roles.ensure_databases(connection)
        for database in (roles.PRODUCTION, roles.STAGING):
            with psycopg.connect(self.dsn("admin", database), autocommit=True) as connection:
                roles.ensure_privileges(connection, database)

    def dsn(self, role: str, database: str = roles.PRODUCTION) -> str:
        """`role` is admin, owner, app, reader, backup or prefect. The password is found by file."""
        return connection_url(role, self.running_port or self.port, database, self.home.pgpass)

    def log_end(self, characters: int = 1500) -> str:
        return tail(self.home.log, characters)

    def _initdb(self, admin_password: str, *, durable: bool) -> None:
        unfinished = self.home.root / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = self.home.secrets / "initdb"
        password_file.touch(mode=0o600)
        password_file.write_text(admin_password)
        self.account.own(password_file)
        try:
            run(
                self._initdb_command(unfinished, password_file, durable=durable),
                self.account,
                operation="initdb",
            )
        finally:
            password_file.unlink()
        append_settings(unfinished / "postgresql.conf", {"include_if_exists": FILE_NAME})
        unfinished.rename(self.home.data)

    def _initdb_command(self, data: Path, password_file: Path, *, durable: bool) -> list[str]:
        # The built-in collation is the same on every machine: indexes stay valid where they are restored.
        return [
            self.binaries.program("initdb"),
            f"--pgdata={data}",
            f"--username={roles.ADMIN}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
            *([] if durable else ["--no-sync"]),
        ]


def connection_url(role: str, port: int, database: str, pgpass: Path) -> str:
    """A URL without a password: libpq looks it up in the file that it names."""
    user = role if role.startswith("firstuser_") or role == roles.PREFECT else f"firstuser_{role}"
    if user not in roles.ALL:
        raise Unavailable(f"There is no database role {role!r}.", provider=PROVIDER, operation="connect")
    return f"postgresql://{user}@127.0.0.1:{port}/{database}?passfile={quote(str(pgpass))}"


def tail(file: Path, characters: int = 1500) -> str:
    """The end of a log, or nothing when there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - characters))
            return log.read().decode(errors="replace").strip()
    except FileNotFoundError:
        return ""
