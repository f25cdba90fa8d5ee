"""What a local service was deployed with: `releases/<service>.json`, the newest last.

A release here is a name and the configuration that goes with it, over one checkout: variables over the
service's own, of which none may be a secret. Going back deploys an older one again, so that the file tells
the whole story.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from dotenv import dotenv_values

from api.core.errors import Conflict, NotFound, Refused
from api.core.ids import new_id
from api.core.ports import Deploy

SERVICES = ("production", "staging")
KEPT = 50
HOME = "home"
RELEASE = "FIRSTUSER_RELEASE"
UNNAMED = "dev"
"""What a service calls its release where nobody has named one."""

EVER = datetime(2026, 1, 1, tzinfo=UTC)
"""When what was never deployed began to serve: before any deploy."""

_SECRET = ("SECRET", "KEY", "TOKEN", "PASSWORD", "AUTH")


@dataclass(frozen=True, slots=True)
class Release:
    """One deploy. `of`: the deploy that it repeats, for one that went back. `at` is ISO 8601."""

    id: str
    release: str
    at: str
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    irreversible: bool = False
    of: str = ""

    def deploy(self) -> Deploy:
        return Deploy(self.id, self.release, datetime.fromisoformat(self.at), self.irreversible)

    def over(self) -> Mapping[str, str]:
        """The variables over the service's own."""
        return {**self.variables, RELEASE: self.release}


def environment(state_dir: Path, service: str) -> dict[str, str]:
    """What the service's process reads over its environment file."""
    found = read(state_dir, service)
    if not found:
        return {}
    return {**found[-1].over(), "FIRSTUSER_DEPLOY_ID": found[-1].id}


def read(state_dir: Path, service: str) -> list[Release]:
    """Oldest first; empty where nothing was ever deployed over the stack's own."""
    path = _path(state_dir, service)
    try:
        return [Release(**one) for one in json.loads(path.read_text())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise Conflict(
            f"{path} cannot be read as releases: {error}.",
            fix=f"Delete it: {service} then serves with the stack's own configuration.",
        ) from error


def add(
    state_dir: Path, service: str, release: str, variables: Mapping[str, str], *, irreversible: bool = False
) -> Release:
    """What the service is deployed with from its next start on. Raises `Refused` for a secret."""
    refuse_secrets(variables)
    made = Release(new_id("dep"), release, _now(), dict(variables), irreversible)
    _write(state_dir, service, [*_beginning(state_dir, service), made])
    return made


def back(state_dir: Path, service: str, to: str = "") -> Release:
    """As `ReleaseKeeper.roll_back`, without the restart."""
    known = read(state_dir, service)
    newest = known[-1] if known else None
    if newest is not None and newest.of and to in ("", newest.of):
        return newest  # it went back already
    wanted = next((one for one in reversed(known[:-1]) if to in ("", one.id)), None)
    if newest is None or wanted is None:
        raise Refused(f"{service} has no earlier release to go back to.", fix="Deploy a good one.")
    blocking = next((one for one in known[known.index(wanted) + 1 :] if one.irreversible), None)
    if blocking is not None:
        raise Refused(
            f"{blocking.release} carries a migration that cannot be taken back.",
            fix="Roll forward: the rollback owner decides how.",
            code="irreversible_migration",
        )
    made = Release(new_id("dep"), wanted.release, _now(), wanted.variables, of=wanted.id)
    _write(state_dir, service, [*known, made])
    return made


def _beginning(state_dir: Path, service: str) -> Sequence[Release]:
    """Before the first release there was the stack's own configuration: that, too, can be gone back to."""
    return read(state_dir, service) or [own(state_dir, service)]


def own(state_dir: Path, service: str) -> Release:
    """What a service is that was never deployed over: its own file."""
    known = dotenv_values(state_dir / "secrets" / f"{service}.env", interpolate=False)
    return Release(HOME, known.get(RELEASE) or UNNAMED, EVER.isoformat())


def refuse_secrets(variables: Mapping[str, str]) -> None:
    """Raises `Refused`."""
    secret = next((name for name, value in variables.items() if _is_secret(name, value)), None)
    if secret is not None:
        raise Refused(f"{secret} holds a secret.", fix="Secrets belong where the service keeps its own.")


def _is_secret(name: str, value: str) -> bool:
    """By its name, or a password in an address."""
    try:
        password = urlsplit(value).password
    except ValueError:
        password = None
    return password is not None or any(word in name.upper() for word in _SECRET)


def _path(state_dir: Path, service: str) -> Path:
    if service not in SERVICES:
        raise NotFound(f"There is no service {service!r}.", fix=f"Choose one of: {', '.join(SERVICES)}.")
    return state_dir / "releases" / f"{service}.json"


def _write(state_dir: Path, service: str, releases: Sequence[Release]) -> None:
    """Whole or not at all, also across a power cut."""
    path = _path(state_dir, service)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w") as file:
        json.dump([asdict(one) for one in releases[-KEPT:]], file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _now() -> str:
    return datetime.now(UTC).isoformat()
