"""`backup_manifest`, written by the server: which WAL the backup needs, and a checksum for every file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.core.backups.wal import parse_lsn
from api.core.errors import Refused, Rejected
from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.binaries import Binaries
from api.providers.databases.embedded.processes import PROVIDER, attempt


@dataclass(frozen=True, slots=True)
class WalRange:
    timeline: int
    start_lsn: int
    stop_lsn: int


def wal_range(folder: Path) -> WalRange:
    """The WAL that makes the backup in `folder` consistent. Raises `Rejected` when it spans timelines, or
    when its manifest is damaged."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "backup_manifest").read_bytes())
        found = [_range(one) for one in manifest["WAL-Ranges"]]
    except (ValueError, KeyError, TypeError, RecursionError, Refused) as error:
        raise Rejected(
            f"The backup's manifest cannot be read ({type(error).__name__}).",
            provider=PROVIDER,
            operation="backup",
            fix="The backup is damaged: take another, and look after the disk or the store it came from.",
        ) from error
    if len(found) != 1:
        raise Rejected(
            "The backup spans a change of timeline.",
            provider=PROVIDER,
            operation="backup",
            fix="Take a full backup of the promoted server.",
        )
    return found[0]


def _range(said: dict[str, Any]) -> WalRange:
    return WalRange(int(said["Timeline"]), parse_lsn(said["Start-LSN"]), parse_lsn(said["End-LSN"]))


def damage(folder: Path, binaries: Binaries, account: OsAccount) -> str:
    """What pg_verifybackup finds wrong with the files in `folder`; empty when nothing is."""
    argv = [binaries.program("pg_verifybackup"), "--no-parse-wal", "--quiet", str(folder)]
    done = attempt(argv, account)
    return "" if done.returncode == 0 else _summary((done.stderr + done.stdout).strip().splitlines())


def _summary(lines: Sequence[str]) -> str:
    shown = "; ".join(line.removeprefix("pg_verifybackup: error: ") for line in lines[:3])
    return f"{shown} (and {len(lines) - 3} more)" if len(lines) > 3 else shown or "pg_verifybackup failed"
