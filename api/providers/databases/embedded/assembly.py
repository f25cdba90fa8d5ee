"""A data directory out of a chain of backups: combined in place, or fetched, checked and linked."""

import subprocess
import tempfile
from pathlib import Path

from api.core.backups.catalogue import BackupRecord
from api.core.errors import Rejected
from api.core.ports import ObjectStore, OnProgress, Progress
from api.providers.databases.embedded.catalogue import data_key
from api.providers.databases.embedded.cluster import Cluster, tail
from api.providers.databases.embedded.manifests import damage
from api.providers.databases.embedded.moving import Moved
from api.providers.databases.embedded.processes import PROVIDER, launch
from api.providers.databases.embedded.reach import Located
from api.providers.databases.embedded.space import folder_bytes


class Assembly:
    def __init__(self, cluster: Cluster, store: ObjectStore) -> None:
        self._cluster = cluster
        self._store = store

    def build(self, located: Located, folder: Path, received: Moved, on_progress: OnProgress) -> None:
        """Create `folder`/data. Raises `Rejected` when a fetched backup is damaged or does not combine."""
        chain = located.window.chain
        inputs = [self._store.local_path(data_key(link.id)) for link in chain]
        if all(inputs):
            near = {path.stat().st_dev for path in inputs if path} == {folder.stat().st_dev}
            mode = "--copy-file-range" if near else "--copy"  # the kernel copies ranges within one disk only
            self._combine([str(path) for path in inputs], folder, mode, chain[-1], on_progress)
            return
        fetched = [self._fetch(link, folder, received) for link in chain]
        # `--link` changes its inputs, and these are ours
        self._combine([str(path) for path in fetched], folder, "--link", chain[-1], on_progress)

    def _fetch(self, link: BackupRecord, folder: Path, received: Moved) -> Path:
        target = folder / "fetched" / link.id
        for each in (target.parent, target):
            self._cluster.account.own_new(each)
        self._store.get_tree(data_key(link.id), target, received.add)
        target.chmod(0o700)
        found = damage(target, self._cluster.binaries, self._cluster.account)
        if found:
            raise Rejected(
                f"Backup {link.id} is damaged: {found}.",
                provider=PROVIDER,
                operation="restore",
                fix="Choose a target that another chain reaches, and take a full backup now.",
            )
        return target

    def _combine(
        self, inputs: list[str], folder: Path, mode: str, record: BackupRecord, on_progress: OnProgress
    ) -> None:
        argv = [self._cluster.binaries.program("pg_combinebackup"), mode, "--no-sync"]
        with tempfile.NamedTemporaryFile(prefix="firstuser-") as log:  # the disk of `folder` may be full
            output = Path(log.name)
            process = launch([*argv, f"--output={folder / 'data'}", *inputs], self._cluster.account, output)
            self._watch(process, folder / "data", record.restored_bytes, on_progress)
            said = tail(output)
        if process.returncode != 0:
            raise Rejected(
                f"pg_combinebackup failed: {said or 'without a word; is the disk full?'}",
                provider=PROVIDER,
                operation="restore",
                fix="Verify the chain with `firstuser backups verify`, and take a full backup.",
            )

    def _watch(
        self, process: subprocess.Popen[bytes], data: Path, expected: int, on_progress: OnProgress
    ) -> None:
        try:
            while True:
                try:
                    process.wait(timeout=0.5)
                    return
                except subprocess.TimeoutExpired:
                    on_progress(Progress("fetch", float(folder_bytes(data)), float(expected), "bytes"))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
