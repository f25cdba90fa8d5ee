"""Every store keeps the same promises: the same tests run over the directory and over S3."""

import io
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.core.errors import NotFound, Refused, Rejected, Unavailable
from api.core.ports import ObjectStore
from api.providers.stores import DirectoryStore, open_store
from api.providers.stores.s3 import S3Store
from api.providers.stores.tar_pieces import unpack
from api.settings.store import StoreSettings
from deployments.bench.places import free_port
from tests.s3 import store_settings


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "directory":
        (tmp_path / "store").mkdir()
        yield DirectoryStore(tmp_path / "store")
        return
    settings: StoreSettings = request.getfixturevalue("s3_settings")
    endpoint = settings.s3_endpoint_url or ""
    yield open_store(store_settings(endpoint, prefix=f"contract/{tmp_path.name}"), tmp_path)


def make_tree(folder: Path, *, size: int = 100_000) -> dict[str, bytes]:
    files = {"top.txt": b"top", "base/1/big": os.urandom(size), "base/2/empty": b""}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "pg_wal").mkdir()
    return files


def test_bytes_and_files_come_back_as_they_were_put(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("a/meta.json", b"{}")
    (tmp_path / "source").write_bytes(os.urandom(3_000_000))
    store.put_file("a/file", tmp_path / "source")
    store.get_file("a/file", tmp_path / "back")
    assert store.get_bytes("a/meta.json") == b"{}"
    assert (tmp_path / "back").read_bytes() == (tmp_path / "source").read_bytes()


def test_a_large_file_is_streamed(store: ObjectStore, tmp_path: Path) -> None:
    """Twice the size that is still compressed in one go."""
    (tmp_path / "source").write_bytes(os.urandom(1_000_000) * 64)
    store.put_file("large", tmp_path / "source")
    store.get_file("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "source").read_bytes()


def test_a_tree_comes_back_whole_and_is_one_object(store: ObjectStore, tmp_path: Path) -> None:
    files = make_tree(tmp_path / "source")
    received: list[int] = []
    store.put_tree("b/1/data", tmp_path / "source")
    store.get_tree("b/1/data", tmp_path / "back", received.append)
    assert {name: (tmp_path / "back" / name).read_bytes() for name in files} == files
    assert (tmp_path / "back" / "pg_wal").is_dir()
    assert sum(received) >= 100_000
    assert [stored.key for stored in store.list("b/")] == ["b/1/data"]


def test_putting_a_tree_again_replaces_it(store: ObjectStore, tmp_path: Path) -> None:
    make_tree(tmp_path / "first")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "only").write_bytes(b"x")
    store.put_tree("t", tmp_path / "first")
    store.put_tree("t", tmp_path / "second")
    store.get_tree("t", tmp_path / "back")
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["only"]


def test_listing_is_by_prefix_and_in_key_order(store: ObjectStore) -> None:
    for key in ("wal/02", "wal/01", "wal/10", "other/1"):
        store.put_bytes(key, b"12345")
    found = list(store.list("wal/"))
    assert [stored.key for stored in found] == ["wal/01", "wal/02", "wal/10"]
    assert [stored.key for stored in store.list("wal/0")] == ["wal/01", "wal/02"]
    assert all(stored.size > 0 and stored.modified.tzinfo for stored in found)


def test_absent_things_are_not_found(store: ObjectStore, tmp_path: Path) -> None:
    for read in (
        lambda: store.get_bytes("no/such"),
        lambda: store.get_file("no/such", tmp_path / "x"),
        lambda: store.get_tree("no/such", tmp_path / "y"),
    ):
        with pytest.raises(NotFound):
            read()
    assert list(store.list("no/")) == []
    assert not (tmp_path / "x").exists()


def test_deleting_is_idempotent_for_files_and_trees(store: ObjectStore, tmp_path: Path) -> None:
    make_tree(tmp_path / "tree")
    store.put_tree("d/tree", tmp_path / "tree")
    store.put_bytes("d/file", b"x")
    for key in ("d/tree", "d/file", "d/file", "d/never"):
        store.delete(key)
    assert list(store.list("d/")) == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../b", "a//b", ".hidden", "a/"])
def test_a_key_cannot_leave_the_store(store: ObjectStore, key: str) -> None:
    with pytest.raises(Refused):
        store.put_bytes(key, b"x")


def test_a_folder_is_packed_in_bounded_memory(s3_settings: StoreSettings, tmp_path: Path) -> None:
    """Peak of Python's own allocations for 192 MB through S3 and back."""
    store = open_store(s3_settings, tmp_path)
    (tmp_path / "tree").mkdir()
    for number in range(3):
        (tmp_path / "tree" / str(number)).write_bytes(os.urandom(1_000_000) * 64)
    tracemalloc.start()
    store.put_tree("memory", tmp_path / "tree")
    store.get_tree("memory", tmp_path / "back")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "back" / "2").stat().st_size == 64_000_000
    assert peak < 180 * 1024**2


def test_wrong_credentials_say_what_to_check(s3_settings: StoreSettings, tmp_path: Path) -> None:
    wrong = store_settings(s3_settings.s3_endpoint_url or "", secret="not-the-secret")
    store = open_store(wrong, tmp_path)
    assert isinstance(store, S3Store)
    with pytest.raises(Rejected, match="AWS_SECRET_ACCESS_KEY") as caught:
        store.check()
    assert "not-the-secret" not in str(caught.value)


def test_a_missing_bucket_and_an_absent_server_are_told_apart(
    s3_settings: StoreSettings, tmp_path: Path
) -> None:
    missing = s3_settings.model_copy(update={"url": "s3://no-such-bucket/x"})
    with pytest.raises(Rejected, match="FIRSTUSER_STORE_URL"):
        list(open_store(missing, tmp_path).list(""))
    absent = store_settings(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="FIRSTUSER_S3_ENDPOINT_URL"):
        list(open_store(absent, tmp_path).list(""))


def test_a_damaged_object_is_refused(s3_settings: StoreSettings, tmp_path: Path) -> None:
    store = open_store(s3_settings, tmp_path)
    assert isinstance(store, S3Store)
    store._put("damaged.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 100)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(Rejected, match="damaged"):
        store.get_bytes("damaged")


@pytest.mark.parametrize("url", ["ftp://x/y", "file://relative/x", "s3://", "/plain/path"])
def test_an_unknown_address_is_refused_with_examples(url: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="s3://bucket/prefix"):
        open_store(StoreSettings.model_construct(url=url), tmp_path)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside"])
def test_a_tree_that_reaches_outside_itself_is_refused(tmp_path: Path, name: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(Rejected, match="no plain file"):
        unpack(tmp_path / "tree", lambda _: packed.getvalue(), 1, 1)
    assert not (tmp_path / "outside").exists()
