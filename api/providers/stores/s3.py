"""Objects in a bucket of anything that speaks S3, compressed with zstd on the way.

    <key>.zst                 a file
    <key>.tree/00000.zst …    a folder: consecutive pieces of one tar stream, sent and fetched in parallel
    <key>.tree/index.json     written last: without it there is no tree

Memory stays bounded whatever the size: at most a handful of pieces is in flight.
"""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import zstandard

from api.core.errors import Unavailable
from api.core.ports import StoredObject
from api.providers.stores.keys import TREE, checked
from api.providers.stores.s3_client import s3_client
from api.providers.stores.s3_errors import answers, broken
from api.providers.stores.tar_pieces import pack, unpack
from api.settings.store import StoreSettings

_COMPRESSED = ".zst"
_INDEX = f"{TREE}/index.json"
_LEVEL = 1
_CHUNK = 1024 * 1024
_SMALL = 32 * _CHUNK
PARALLEL = 3
_BODIES = 3
_PAUSE_S = 0.5
_T = TypeVar("_T")


class S3Store:
    name = "s3"

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @classmethod
    def connect(cls, settings: StoreSettings, bucket: str, prefix: str) -> "S3Store":
        client = s3_client(
            settings,
            max_pool_connections=PARALLEL * 3,
            # the newer default sends trailers that many S3-compatible servers do not understand
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        return cls(client, bucket, prefix)

    def check(self) -> None:
        """Prove that the bucket is there and ours. Raises `Rejected` or `Unavailable` with a remedy."""
        with answers("check", self._bucket):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def put_file(self, key: str, path: Path) -> None:
        name = checked(key) + _COMPRESSED
        if path.stat().st_size <= _SMALL:
            self._put(name, _compress(path.read_bytes()))
            return
        with answers("put", key), path.open("rb") as source:
            stream = _compressor().stream_reader(source, size=path.stat().st_size)
            self._client.upload_fileobj(stream, self._bucket, self._prefix + name)

    def get_file(self, key: str, path: Path) -> None:
        temporary = path.with_name(f".incoming-{path.name}")

        def write(body: Any) -> None:
            frame = zstandard.ZstdDecompressor().decompressobj()
            with temporary.open("wb") as target:
                while not frame.eof and (compressed := body.read(_CHUNK)):
                    target.write(frame.decompress(compressed))
                body.read()  # to its end: only there the client compares lengths
            if not frame.eof:
                raise broken(key, "it ends early")

        try:
            self._read(checked(key) + _COMPRESSED, key, write)
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)

    def put_bytes(self, key: str, data: bytes) -> None:
        self._put(checked(key) + _COMPRESSED, _compress(data))

    def get_bytes(self, key: str) -> bytes:
        return self._get(checked(key) + _COMPRESSED, key)

    def put_tree(self, key: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        """The index is written last; pieces of an earlier attempt are overwritten or forgotten."""
        self._delete(checked(key) + _INDEX)

        def send(number: int, piece: bytes) -> int:
            data = _compress(piece)
            self._put(_piece(key, number), data)
            if on_bytes:
                on_bytes(len(piece))
            return len(data)

        sizes = pack(folder, send, PARALLEL)
        self._put(key + _INDEX, json.dumps({"pieces": len(sizes), "stored_bytes": sum(sizes)}).encode())

    def get_tree(self, key: str, folder: Path, on_bytes: Callable[[int], None] | None = None) -> None:
        pieces = self._pieces(key)

        def fetch(number: int) -> bytes:
            piece = self._get(_piece(key, number), key)
            if on_bytes:
                on_bytes(len(piece))
            return piece

        unpack(folder, fetch, pieces, PARALLEL)

    def local_path(self, key: str) -> Path | None:
        return None

    def list(self, prefix: str) -> Iterator[StoredObject]:
        seen = ""
        for stored in self._listed(prefix):
            name, tree, _ = stored.key.partition(f"{TREE}/")
            if tree and name != seen:
                seen = name
                yield StoredObject(name, 0, stored.modified)
            elif not tree:
                yield StoredObject(name.removesuffix(_COMPRESSED), stored.size, stored.modified)

    def delete(self, key: str) -> None:
        """The index goes first, so that a half-deleted tree is no tree."""
        names = [checked(key) + _COMPRESSED, key + _INDEX]
        for name in names:
            self._delete(name)
        with ThreadPoolExecutor(PARALLEL) as pool:
            for _ in pool.map(self._delete, [stored.key for stored in self._listed(f"{key}{TREE}/")]):
                pass

    def _listed(self, prefix: str) -> Iterator[StoredObject]:
        with answers("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for found in page.get("Contents", []):
                    name = found["Key"].removeprefix(self._prefix)
                    yield StoredObject(name, found["Size"], found["LastModified"])

    def _put(self, name: str, data: bytes) -> None:
        with answers("put", name):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=data)

    def _get(self, name: str, key: str) -> bytes:
        data = self._raw(name, key)
        with answers("get", key):
            return zstandard.ZstdDecompressor().decompress(data, max_output_size=2 * _SMALL)

    def _pieces(self, key: str) -> int:
        try:
            return int(json.loads(self._raw(checked(key) + _INDEX, key))["pieces"])
        except (ValueError, KeyError, TypeError) as error:
            raise broken(key + _INDEX, error) from error

    def _raw(self, name: str, key: str) -> bytes:
        def read(body: Any) -> bytes:
            data: bytes = body.read()
            return data

        return self._read(name, key, read)

    def _read(self, name: str, key: str, take: Callable[[Any], _T]) -> _T:
        """A body that breaks off is asked for again (reading changes nothing); the client itself asks again
        when there is no answer, or a 5xx."""
        left = _BODIES
        while True:
            with answers("get", key):
                body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            try:
                with answers("get", key):
                    return take(body)
            except Unavailable:
                left -= 1
                if not left:
                    raise
            finally:
                body.close()
            time.sleep(_PAUSE_S)

    def _delete(self, name: str) -> None:
        with answers("delete", name):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)


def _piece(key: str, number: int) -> str:
    return f"{key}{TREE}/{number:05d}{_COMPRESSED}"


def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)


def _compress(data: bytes) -> bytes:
    return _compressor().compress(data)
