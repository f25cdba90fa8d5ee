"""`drills/<name>/copy.json`: what a copy is, readable by any process that has to adopt or destroy it."""

import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.core.ports import Handle, RestoreTarget

CREATING = "creating"
STARTED = "started"
_NAME = "copy.json"


@dataclass(frozen=True, slots=True)
class Marker:
    """`stage` is CREATING until the copy's server has started: only then it can be adopted."""

    handle: Handle
    stage: str
    target_lsn: str | None = None

    def describes(self, target: RestoreTarget, backup_id: str) -> bool:
        return (
            self.handle.target_at == target.at
            and self.target_lsn == target.lsn
            and self.handle.details.get("backup") == backup_id
        )

    def at(self, stage: str, **details: str) -> "Marker":
        handle = replace(self.handle, details={**self.handle.details, **details})
        return replace(self, handle=handle, stage=stage)


def write_marker(folder: Path, marker: Marker) -> None:
    values: dict[str, Any] = asdict(marker)
    for name in ("target_at", "expires_at"):
        values["handle"][name] = values["handle"][name].isoformat()
    temporary = folder / f".{_NAME}.{os.getpid()}"
    temporary.write_text(json.dumps(values, indent=2))
    temporary.rename(folder / _NAME)


def read_marker(folder: Path) -> Marker | None:
    """None when the folder has none, or one that says nothing."""
    try:
        values: dict[str, Any] = json.loads((folder / _NAME).read_text())
        handle = values["handle"]
        for name in ("target_at", "expires_at"):
            handle[name] = datetime.fromisoformat(handle[name])
        return Marker(Handle(**handle), values["stage"], values["target_lsn"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def handle_of(folder: Path) -> Handle:
    """Of any folder: one without a marker is left over from a restore killed at its first step."""
    marker = read_marker(folder)
    if marker is not None:
        return marker.handle
    moment = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return Handle(name=folder.name, target_at=moment, expires_at=moment)
