"""Objects as files below one folder; a tree is the folder `<key>.tree`.

Everything belongs to the owner of that folder, whoever writes it: the database server's OS user reads here.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from api.core.errors import NotFound
from api.core.ports import StoredObject
from api.providers.full_disk import named_when_full
from api.providers.stores.keys import TREE, checked

_INCOMING = ".incoming-"


class DirectoryStore:
    name = "directory"

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, key: str, path: Path) -> None:
        def copy(temporary: Path) -> None:
            shutil.copyfile(path, temporary)

        self._place(key, copy)

    def get_file(self, key: str, path: Path) -> None:
        temporary = path.with_name(f"{_INCOMING}{path.name}")
        try:
            shutil.copyfile(self._path(key), temporary)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise _absent(key) from error
        temporary.rename(path)

    def put_bytes(self, key: str, data: bytes) -> None:
        def write(temporary: Path) -> None:
            temporary.write_bytes(data)

        self._place(key, write)

    def get_bytes(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise _absent(key) from error

    def put_tree(self, key: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        """Moved where possible, else copied: the store may be another file system."""
        target = self._path(key + TREE)
        self._make_parents(target)
        if target.exists():
            shutil.rmtree(target)
        if folder.stat().st_dev == target.parent.stat().st_dev:
            folder.rename(target)
        else:
            incoming = target.with_name(f"{_INCOMING}{target.name}")
            shutil.rmtree(incoming, ignore_errors=True)
            try:
                with named_when_full(self.root, f"storing {key}"):
                    _copy_tree(folder, incoming, on_bytes)
                incoming.rename(target)
            finally:
                shutil.rmtree(incoming, ignore_errors=True)
            shutil.rmtree(folder)
        _sync(target.parent)

    def get_tree(self, key: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        source = self._path(key + TREE)
        if not source.is_dir():
            raise _absent(key)
        _copy_tree(source, folder, on_bytes)

    def local_path(self, key: str) -> Path | None:
        """The file, or the tree, or (when the key holds nothing yet) None."""
        return next((path for path in (self._path(key), self._path(key + TREE)) if path.exists()), None)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        folder = self.root / prefix.rpartition("/")[0]
        found = ((path.relative_to(self.root).as_posix(), path) for path in _objects(folder))
        for key, path in sorted(found):
            if key.startswith(prefix):
                status = path.stat()
                size = 0 if path.is_dir() else status.st_size
                moment = datetime.fromtimestamp(status.st_mtime, UTC)
                yield StoredObject(key.removesuffix(TREE), size, moment)

    def delete(self, key: str) -> None:
        path = self._path(key)
        path.unlink(missing_ok=True)
        tree = self._path(key + TREE)
        if tree.is_dir():
            shutil.rmtree(tree)
        for parent in path.parents:
            if (
                parent == self.root
                or not parent.is_dir()
                or any(parent.iterdir())
                or parent.parent == self.root
            ):
                break
            parent.rmdir()

    def _path(self, key: str) -> Path:
        return self.root / checked(key)

    def _place(self, key: str, write: Callable[[Path], None]) -> None:
        target = self._path(key)
        self._make_parents(target)
        temporary = target.with_name(f"{_INCOMING}{target.name}.{os.getpid()}")
        try:
            with named_when_full(self.root, f"storing {target.name}"):
                write(temporary)
                temporary.chmod(0o600)
                self._own(temporary)
                _sync(temporary)
                temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(target.parent)

    def _make_parents(self, target: Path) -> None:
        missing = [parent for parent in target.parents if not parent.exists()]
        for parent in reversed(missing):
            parent.mkdir(mode=0o700, exist_ok=True)
            self._own(parent)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0 and path != self.root:
            owner = self.root.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


def _absent(key: str) -> NotFound:
    return NotFound(f"The store holds no {key}.", fix="List the store: it may have been pruned.")


def _objects(folder: Path) -> Iterator[Path]:
    """Files and trees below `folder`, without what is still being written."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir() and path.suffix != TREE:
            yield from _objects(path)
        else:
            yield path


def _copy_tree(source: Path, target: Path, on_bytes: Callable[[int], None] | None = None) -> None:
    owner = target.stat() if target.exists() else source.stat()

    def copy(start: str, end: str) -> str:
        shutil.copy2(start, end)
        if on_bytes:
            on_bytes(Path(end).stat().st_size)
        return end

    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, copy_function=copy)
    if os.geteuid() == 0:
        for path in (target, *target.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
