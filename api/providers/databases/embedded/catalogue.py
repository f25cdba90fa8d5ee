"""Base backups in the object store: `backups/<id>/{backup.json, backup_manifest, data}`.

`backup.json` is written last and deleted first: a backup that is listed is whole.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from api.core.backups.catalogue import BackupRecord, from_json, to_json
from api.core.errors import FirstUserError, NotFound, Rejected
from api.core.ports import ObjectStore, StoredObject
from api.providers.databases.embedded.processes import PROVIDER

_PREFIX = "backups/"
_RECORD = "backup.json"
_MANIFEST = "backup_manifest"


class Catalogue:
    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[StoredObject, BackupRecord] = {}  # a changed object has another size or time

    def records(self) -> list[BackupRecord]:
        """Oldest first."""
        listed = [stored for stored in self._store.list(_PREFIX) if stored.key.endswith(f"/{_RECORD}")]
        self._known = {stored: self._known.get(stored) or self._read(stored.key) for stored in listed}
        return sorted(self._known.values(), key=lambda record: record.stopped_at)

    def get(self, backup_id: str) -> BackupRecord:
        """Raises `NotFound`."""
        return self._read(_key(backup_id, _RECORD))

    def save(self, record: BackupRecord) -> None:
        self._store.put_bytes(_key(record.id, _RECORD), to_json(record))

    def add(self, record: BackupRecord, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        """Move the backup in `folder` into the store, whole or not at all."""
        try:
            self._store.put_file(_key(record.id, _MANIFEST), folder / _MANIFEST)
            self._store.put_tree(data_key(record.id), folder, on_bytes)
            self.save(record)
        except (FirstUserError, OSError):
            with suppress(FirstUserError, OSError):  # what cannot be removed now is unlisted: pruned later
                self.remove(record.id)
            raise

    def remove(self, backup_id: str) -> None:
        for name in (_RECORD, _MANIFEST, "data"):
            self._store.delete(_key(backup_id, name))

    def unlisted(self) -> list[str]:
        """Backups whose storing or deletion was interrupted: something is there, but no record."""
        present: dict[str, bool] = {}
        for stored in self._store.list(_PREFIX):
            backup_id, _, name = stored.key.removeprefix(_PREFIX).partition("/")
            present[backup_id] = present.get(backup_id, False) or name == _RECORD
        return [backup_id for backup_id, listed in present.items() if not listed]

    def manifest(self, backup_id: str, path: Path) -> None:
        """Fetch the manifest that an incremental backup is taken against."""
        self._store.get_file(_key(backup_id, _MANIFEST), path)

    def _read(self, key: str) -> BackupRecord:
        try:
            return from_json(self._store.get_bytes(key))
        except NotFound:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise Rejected(
                f"{key} is no readable backup record: {error}.",
                provider=PROVIDER,
                operation="list backups",
                fix="Delete that backup from the store, and take a full one.",
            ) from error


def data_key(backup_id: str) -> str:
    return _key(backup_id, "data")


def _key(backup_id: str, name: str) -> str:
    return f"{_PREFIX}{backup_id}/{name}"
