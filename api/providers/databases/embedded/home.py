"""`PostgresHome`: every folder that the database server's OS user must reach, under one roof.

It is `<state>/pg`. When that user cannot get there (state below /root, say), the folders live in
/var/lib/firstuser/<hash> and `<state>/pg` is a symlink to them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from api.core.errors import Refused
from api.providers.databases.embedded.account import OsAccount

_ELSEWHERE = Path("/var/lib/firstuser")


@dataclass(frozen=True, slots=True)
class PostgresHome:
    """`root` is the real path (no symlink): PostgreSQL is given nothing else."""

    root: Path
    state: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def drills(self) -> Path:
        return self.root / "drills"

    @property
    def incoming(self) -> Path:
        """Base backups rest here until they are whole and verified."""
        return self.root / "incoming"

    @property
    def scratch(self) -> Path:
        """Segments from a remote store, for as long as they are being read."""
        return self.root / "scratch"

    @property
    def archiver(self) -> Path:
        """Where the S3 archiver and the server's archive_command leave each other notes."""
        return self.root / "archiver"

    @property
    def binaries(self) -> Path:
        return self.root / "binaries"

    @property
    def scripts(self) -> Path:
        return self.root / "scripts"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def server_pgpass(self) -> Path:
        """The password file of the server's OS user."""
        return self.secrets / "pgpass"

    @property
    def pgpass(self) -> Path:
        """The password file of our own user."""
        return self.state / "secrets" / "pgpass"

    @property
    def log(self) -> Path:
        return self.state / "logs" / "postgres.log"


def find_home(state_dir: Path) -> PostgresHome:
    """The home of a state folder, without creating anything."""
    state = state_dir.absolute()
    return PostgresHome(root=(state / "pg").resolve(), state=state)


def open_home(state_dir: Path, account: OsAccount) -> PostgresHome:
    """Create what is missing, owned by `account` and closed to others."""
    state = state_dir.absolute()
    state.mkdir(parents=True, exist_ok=True)
    entrance = state / "pg"
    if not entrance.is_symlink() and not entrance.exists():
        _place(entrance, state, account)
    home = find_home(state)
    for folder in (
        home.root,
        home.store,
        home.drills,
        home.incoming,
        home.scratch,
        home.archiver,
        home.scripts,
        home.secrets,
    ):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        account.own(folder)
    (state / "secrets").mkdir(mode=0o700, exist_ok=True)
    (state / "logs").mkdir(exist_ok=True)
    return home


def _place(entrance: Path, state: Path, account: OsAccount) -> None:
    if account.can_traverse(state):
        entrance.mkdir(mode=0o700)
        return
    real = _ELSEWHERE / hashlib.sha256(str(state).encode()).hexdigest()[:8]
    try:
        real.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(
            f"The OS user {account.name} cannot enter {state}; {real} cannot be created: {error.strerror}.",
            fix="Set FIRSTUSER_STATE_DIR to a folder that other users may enter.",
        ) from error
    entrance.symlink_to(real)
