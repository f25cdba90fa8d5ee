"""What kinds share whose secret is a variable that stores carry and processes read."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.crypto import several
from api.core.errors import Conflict, NotFound
from api.core.rotation import readers, service
from api.core.rotation.cadence import Held
from api.core.rotation.kinds import Current
from api.core.rotation.stores import SecretStore, Stage, at
from api.providers.secret_stores.variables import HeldStore

_FOLDED = 1_000_000
"""Above every version that a rotation makes."""


def held(session: Session, name: str, kind: str, label: str, now: datetime) -> Sequence[Held]:
    """None before any process has said that it uses it."""
    found = service.current_versions(session).get(name)
    if found is None:
        return []
    living = readers.living(session, name, now)
    last = max((one.seen_at for one in living), default=None)
    users = sorted({one.service for one in living})
    since = found.current_at or found.minted_at
    return [Held(name, kind, found.version, since, label, last, found.made_by, users)]


def current(session: Session, name: str) -> Current:
    """Raises `NotFound`."""
    found = service.current_versions(session).get(name)
    if found is None:
        raise NotFound(f"No process has said that it uses {name}.", fix="Start the API, then try again.")
    return Current(found.version, found.reference, found.current_at, found.made_by)


def value(store: SecretStore, name: str, version: int) -> str | None:
    """Of a version that is pending or current in the store."""
    for one in store.describe(name):
        if one.version == version and one.stage in {Stage.PENDING, Stage.CURRENT}:
            return store.read(name, one.stage)
    return None


def put(store: SecretStore, name: str, version: int, text: str) -> None:
    """As pending, unless it is current already."""
    known = store.describe(name)
    now, pending = at(known, Stage.CURRENT), at(known, Stage.PENDING)
    if now and now.version == version:
        return
    if pending and pending.version != version:
        store.retire(name, pending.version)  # of a rotation that nobody knows any more
    store.put_pending(name, version, text)


def fold(store: SecretStore, name: str, version: int) -> None:
    """Before `version` moves the current one to the place of the previous: what the previous one holds goes
    behind the current one, as a version of the store's own. Nothing that backups need is lost, however many
    rotations there are while they need it."""
    known = store.describe(name)
    now, before = at(known, Stage.CURRENT), at(known, Stage.PREVIOUS)
    if now is None or before is None or now.version == version:
        return
    first = several(store.read(name, Stage.CURRENT))
    more = [key for key in several(store.read(name, Stage.PREVIOUS)) if key not in first]
    if more:
        put(store, name, _FOLDED + version, ",".join([*first, *more]))
        store.promote(name, _FOLDED + version)


def check_current(store: SecretStore, name: str, version: int) -> None:
    """Raises `Conflict`: nothing old is dropped where the new one is not in use."""
    known = store.describe(name)
    if not known and isinstance(store, HeldStore):
        return
    now = at(known, Stage.CURRENT)
    if now is None or now.version != version:
        raise Conflict(
            f"{store.name} does not hold version {version} of {name} as current.",
            fix="Somebody changed it by hand: put it right, or rotate again.",
        )


def drop_previous(store: SecretStore, name: str) -> None:
    if previous := at(store.describe(name), Stage.PREVIOUS):
        store.retire(name, previous.version)
