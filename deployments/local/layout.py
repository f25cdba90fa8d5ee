"""The state folder: one path per thing that the stack keeps. Nothing of the stack lies elsewhere, except the
database's home when its OS user cannot enter the state folder, and a socket when the folder lies too deep."""

from dataclasses import dataclass
from pathlib import Path

from api.providers.hosting.supervisor import socket_path

PRIVATE = 0o700
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class StateFolder:
    root: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root.expanduser().absolute())

    @property
    def stack_file(self) -> Path:
        return self.root / "stack.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def passwords(self) -> Path:
        """The PGPASSFILE of our own processes."""
        return self.secrets / "pgpass"

    @property
    def prefect_login(self) -> Path:
        return self.secrets / "prefect-login"

    @property
    def prefect_key(self) -> Path:
        return self.secrets / "prefect-encryption-key"

    def env_file(self, environment: str) -> Path:
        return self.secrets / f"{environment}.env"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def supervisor_config(self) -> Path:
        return self.run / "supervisord.conf"

    @property
    def supervisor_socket(self) -> Path:
        return socket_path(self.root)

    @property
    def lock(self) -> Path:
        return self.run / "lock"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def prefect_home(self) -> Path:
        return self.root / "prefect"

    def outbox(self, environment: str) -> Path:
        return self.root / "outbox" / environment

    def create(self) -> None:
        """Make the folders. The root itself stays passable: the database's OS user has to go through it."""
        self.root.mkdir(parents=True, exist_ok=True)
        private = [
            self.secrets,
            self.run,
            self.logs,
            self.temporary,
            self.prefect_home,
            self.root / "services",
        ]
        private += [self.root / "outbox", self.outbox("production"), self.outbox("staging")]
        private += [self.supervisor_socket.parent]
        for folder in private:
            folder.mkdir(mode=PRIVATE, exist_ok=True)
            folder.chmod(PRIVATE)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)
