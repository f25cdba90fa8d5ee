"""A folder as one tar stream cut into pieces, several sent or fetched at a time, in bounded memory."""

import io
import os
import tarfile
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from api.core.errors import Rejected

PIECE_BYTES = 8 * 1024 * 1024


def pack(folder: Path, send: Callable[[int, bytes], int], parallel: int) -> list[int]:
    """Call `send(number, piece)` for every piece; returns what it returned, in order."""
    with ThreadPoolExecutor(parallel) as pool:
        pieces = _Outgoing(pool, send, parallel)
        with tarfile.open(fileobj=pieces, mode="w|", bufsize=1024 * 1024) as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, arcname=path.name)
        return pieces.finish()


def unpack(folder: Path, fetch: Callable[[int], bytes], pieces: int, parallel: int) -> None:
    """Write the tree into `folder`, everything owned like `folder` itself. Raises `Rejected` for what is no
    such tree, or only the beginning of one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = folder.stat()

    with ThreadPoolExecutor(parallel) as pool:
        incoming = _Incoming(pool, fetch, pieces, parallel)
        try:
            with tarfile.open(fileobj=incoming, mode="r|", bufsize=1024 * 1024) as archive:
                # Python before 3.11.4 has no filters and later ones warn without: `_own` filters everywhere
                archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
                for member in archive:
                    archive.extract(_own(member, owner), folder, numeric_owner=True)
        except (tarfile.TarError, ValueError) as error:
            raise _damaged(error) from error
        finally:
            incoming.cancel()


def _damaged(error: Exception) -> Rejected:
    return Rejected(
        f"The stored tree is damaged ({error}).",
        provider="store",
        operation="get_tree",
        fix="Use another backup, and look after the store's disk.",
    )


def _own(member: tarfile.TarInfo, owner: os.stat_result) -> tarfile.TarInfo:
    """The member as the folder's owner would have made it. Only files and folders inside the tree pass."""
    place = PurePosixPath(member.name)
    if place.is_absolute() or ".." in place.parts or not (member.isfile() or member.isdir()):
        raise Rejected(
            f"The stored tree holds {member.name!r}, which is no plain file inside it.",
            provider="store",
            operation="get_tree",
            fix="The tree was not stored by this product: look at who else writes into the store.",
        )
    member.uid, member.gid, member.uname, member.gname = owner.st_uid, owner.st_gid, "", ""
    return member


class _Outgoing(io.RawIOBase):
    def __init__(self, pool: ThreadPoolExecutor, send: Callable[[int, bytes], int], parallel: int) -> None:
        self._pool, self._send, self._parallel = pool, send, parallel
        self._piece = bytearray()
        self._flying: deque[Future[int]] = deque()
        self._sizes: list[int] = []
        self._number = 0

    def write(self, data: object) -> int:
        view = memoryview(data)  # pyright: ignore[reportArgumentType] - whatever tarfile hands over is bytes-like
        self._piece += view
        if len(self._piece) >= PIECE_BYTES:
            self._dispatch()
        return len(view)

    def finish(self) -> list[int]:
        if self._piece:
            self._dispatch()
        while self._flying:
            self._sizes.append(self._flying.popleft().result())
        return self._sizes

    def _dispatch(self) -> None:
        while len(self._flying) >= self._parallel:
            self._sizes.append(self._flying.popleft().result())
        self._flying.append(self._pool.submit(self._send, self._number, bytes(self._piece)))
        self._piece = bytearray()
        self._number += 1


class _Incoming(io.RawIOBase):
    def __init__(
        self, pool: ThreadPoolExecutor, fetch: Callable[[int], bytes], pieces: int, parallel: int
    ) -> None:
        self._pool, self._fetch, self._pieces, self._parallel = pool, fetch, pieces, parallel
        self._flying: deque[Future[bytes]] = deque()
        self._next = 0
        self._piece = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        if not self._piece and not self._advance():
            return b""
        taken = self._piece[:size] if size >= 0 else self._piece
        self._piece = self._piece[len(taken) :]
        return bytes(taken)

    def cancel(self) -> None:
        """Let go of what nobody will read, so that a failure does not wait for downloads."""
        for each in self._flying:
            each.cancel()

    def _advance(self) -> bool:
        while self._next < self._pieces and len(self._flying) < self._parallel:
            self._flying.append(self._pool.submit(self._fetch, self._next))
            self._next += 1
        if not self._flying:
            return False
        self._piece = memoryview(self._flying.popleft().result())
        return True
