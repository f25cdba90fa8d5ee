"""What a local service serves from: `services/<service>.json` in the state folder, rewritten atomically.

Holds no secret: passwords are found by `PGPASSFILE`, or in a file beside it that only we can read and that
goes when the service goes home. A service without a file serves from its own database.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from api.core.errors import Conflict

OWN_DATABASE = "own"
HOME = "home"
"""The deploy of a service that was never pointed anywhere."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """`dsn` is a URL or `own`: the service's own database, wherever it is by now. `as_of` is ISO 8601."""

    deploy_id: str
    dsn: str = OWN_DATABASE
    restored_copy: str | None = None
    as_of: str | None = None

    @property
    def at_home(self) -> bool:
        return self.deploy_id == HOME

    def environment(self) -> dict[str, str]:
        """What the service's process reads over its own environment file."""
        values = {"FIRSTUSER_DEPLOY_ID": self.deploy_id}
        if self.dsn != OWN_DATABASE:
            values["DATABASE_URL"] = self.dsn
        if self.restored_copy:
            values["FIRSTUSER_RESTORED_COPY"] = self.restored_copy
            values["FIRSTUSER_OUTBOUND"] = "outbox"
        if self.as_of:
            values["FIRSTUSER_AS_OF"] = self.as_of
        return values


def pointer_path(state_dir: Path, service: str) -> Path:
    return state_dir / "services" / f"{service}.json"


def read_pointer(state_dir: Path, service: str) -> Pointer:
    path = pointer_path(state_dir, service)
    try:
        return Pointer(**json.loads(path.read_text()))
    except FileNotFoundError:
        return Pointer(deploy_id=HOME)
    except (ValueError, TypeError) as error:
        raise Conflict(
            f"{path} cannot be read as a pointer: {error}",
            fix=f"Delete it: {service} then serves from its own database again.",
        ) from error


def write_pointer(state_dir: Path, service: str, pointer: Pointer) -> None:
    """Whole or not at all, also across a power cut."""
    path = pointer_path(state_dir, service)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        json.dump(asdict(pointer), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def without_password(state_dir: Path, service: str, dsn: str) -> str:
    """The URL with its password, if it has one, put into a file that it names instead."""
    file = pointer_path(state_dir, service).with_suffix(".pgpass")
    file.unlink(missing_ok=True)
    parts = urlsplit(dsn)
    if not parts.password:
        return dsn
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    login = [
        unquote(part).replace("\\", "\\\\").replace(":", "\\:")
        for part in (parts.username or "", parts.password)
    ]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as passwords:
        passwords.write(f"*:*:*:{':'.join(login)}\n")
    place = f"{quote(unquote(parts.username or ''), safe='')}@{parts.netloc.rpartition('@')[2]}"
    query = urlencode([*parse_qsl(parts.query), ("passfile", str(file))])
    return urlunsplit(parts._replace(netloc=place, query=query))


def forget_pointers(state_dir: Path) -> None:
    """Every service serves from its own database from its next start on."""
    for kind in ("*.json", "*.pgpass"):
        for path in (state_dir / "services").glob(kind):
            path.unlink()
