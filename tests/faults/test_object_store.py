"""S3 that answers 503, breaks off, hands out less than was stored, or keeps one waiting: asked again where
that is safe, else a verdict with the cause. Never a drill that passes."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import boto3
import botocore.endpoint
import pytest
from botocore.config import Config

from api.core.backups.wal import SEGMENT_BYTES, segment_of
from api.core.errors import FirstUserError, Rejected, Unavailable
from api.core.ports import RestoreTarget
from api.providers.databases.embedded import archiver as archiving
from api.providers.databases.embedded.archiver import Archiver
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.stores import S3Store, open_store
from api.settings import Settings
from api.settings.store import StoreSettings
from tests.api.providers.databases.conftest import History, ids_in, restore_to, store_of, until
from tests.api.providers.databases.test_s3_cluster import SEGMENT, fake_home, stepped
from tests.crash.world import World
from tests.faults.drills import drill, nothing_is_left, told
from tests.faults.proxy import Fault, Trouble, troubled
from tests.s3 import ACCESS, BUCKET, SECRET, store_settings

CONTENTS = bytes(range(256)) * 4096
prefixes = itertools.count()
Finder = Callable[[str, str], Fault]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the tries of a request; how many there are stays."""
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture(scope="module")
def behind(s3_settings: StoreSettings) -> Iterator[tuple[str, Trouble]]:
    with troubled(s3_settings.s3_endpoint_url or "") as made:
        yield made


@pytest.fixture
def trouble(behind: tuple[str, Trouble]) -> Iterator[Trouble]:
    trouble = behind[1]
    trouble.seen.clear()
    yield trouble
    trouble.fault = nothing


@pytest.fixture
def store(behind: tuple[str, Trouble]) -> S3Store:
    made = open_store(store_settings(behind[0], prefix=f"faults-{next(prefixes)}"), Path("/"))
    assert isinstance(made, S3Store)
    made.put_bytes("kept", CONTENTS)
    return made


def nothing(_method: str, _path: str) -> Fault:
    return ""


def at_first(times: int, fault: Fault, of: str = "") -> Finder:
    left = itertools.count(times, -1)

    def found(method: str, path: str) -> Fault:
        return fault if method == "GET" and of in path and next(left) > 0 else ""

    return found


def either(
    one: Callable[[str, str], Fault], other: Callable[[str, str], Fault]
) -> Callable[[str, str], Fault]:
    return lambda method, path: one(method, path) or other(method, path)


def always(fault: Fault, of: str = "", method: str = "GET") -> Finder:
    return lambda asked, path: fault if asked == method and of in path else ""


@pytest.mark.parametrize("fault", ["503", "breaks off"])
def test_reading_goes_on_after_a_moment_of_trouble(
    store: S3Store, trouble: Trouble, tmp_path: Path, fault: Fault
) -> None:
    trouble.fault = at_first(1, fault)
    assert store.get_bytes("kept") == CONTENTS
    trouble.fault = at_first(1, fault)
    store.get_file("kept", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENTS
    assert len(trouble.seen) == 4


@pytest.mark.parametrize(
    ("fault", "error", "cause"),
    [
        ("503", Unavailable, "SlowDown"),
        ("breaks off", Unavailable, "kept"),
        ("cut short", Rejected, "kept is damaged"),
    ],
)
def test_trouble_that_stays_is_named(
    store: S3Store, trouble: Trouble, tmp_path: Path, fault: Fault, error: type[FirstUserError], cause: str
) -> None:
    trouble.fault = always(fault)
    for read in (lambda: store.get_bytes("kept"), lambda: store.get_file("kept", tmp_path / "file")):
        with pytest.raises(error, match=cause) as caught:
            read()
        assert caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_keeps_one_waiting_is_not_waited_for_for_ever(
    behind: tuple[str, Trouble], store: S3Store, trouble: Trouble
) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=behind[0],
        region_name="us-east-1",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        config=Config(read_timeout=0.2, retries={"max_attempts": 1}),
    )
    impatient = S3Store(client, BUCKET, store._prefix.rstrip("/"))  # pyright: ignore[reportPrivateUsage]
    trouble.fault = always("slow")
    with pytest.raises(Unavailable, match="could not be reached"):
        impatient.get_bytes("kept")


def test_an_index_of_half_a_tree_is_damage(store: S3Store, trouble: Trouble, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(CONTENTS)
    store.put_tree("tree", tmp_path / "folder")
    trouble.fault = always("cut short", "index.json")
    with pytest.raises(Rejected, match=r"index\.json is damaged"):
        store.get_tree("tree", tmp_path / "back")


def test_archiving_tells_the_server_and_goes_on_when_the_store_is_back(
    store: S3Store, trouble: Trouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "_RETRY_SECONDS", 0.0)
    home = fake_home(tmp_path)
    archiver = Archiver(home, store)
    trouble.fault = always("503", method="PUT")
    assert until(lambda: stepped(archiver, home.archiver / "failed" / SEGMENT), 60)
    assert "SlowDown" in (home.archiver / "failed" / SEGMENT).read_text()
    assert not (home.archiver / "done" / SEGMENT).exists()
    trouble.fault = nothing
    assert until(lambda: stepped(archiver, home.archiver / "done" / SEGMENT), 60)
    store.get_file(f"wal/{SEGMENT}", tmp_path / "stored")
    assert (tmp_path / "stored").read_bytes() == (home.data / "pg_wal" / SEGMENT).read_bytes()


def _last_segment(history: History) -> str:
    """The one after the target's: recovery looks whether the target is its end."""
    high, low = (int(half, 16) for half in history.target_lsn.split("/"))
    return segment_of(history.full.timeline, (high << 32) + low + SEGMENT_BYTES).name


@pytest.fixture
def remote(
    database: EmbeddedDatabase, history: History, cluster_settings: Settings, store: S3Store
) -> EmbeddedDatabase:
    """The same cluster and history, with what they need of the store behind S3."""
    folder = store_of(database)
    first, last = history.full.first_segment.name, _last_segment(history)
    for stored in database.store.list(""):
        area, _, rest = stored.key.partition("/")
        if area == "wal" and not first <= rest <= last:
            continue
        if area == "backups" and rest.partition("/")[0] not in (history.full.id, history.incremental.id):
            continue
        path = database.store.local_path(stored.key)
        assert path is not None and path.is_relative_to(folder)
        if path.is_dir():
            store.put_tree(stored.key, path)
        else:
            store.put_file(stored.key, path)
    return EmbeddedDatabase(database.cluster, store, cluster_settings)


def test_restores_in_trouble(
    remote: EmbeddedDatabase, history: History, name: str, trouble: Trouble, world: World
) -> None:
    target = RestoreTarget(history.target)
    for in_tree, in_wal in (("503", "breaks off"), ("breaks off", "503")):
        trouble.fault = either(at_first(1, in_tree, ".tree/00000"), at_first(1, in_wal, "/wal/0"))
        handle = restore_to(remote, target, name)
        assert ids_in(remote.dsn(handle, "reader")) == list(range(history.rows))
        remote.destroy(handle)
    lasting: tuple[tuple[Fault, str, str], ...] = (
        ("503", ".tree/00000", "SlowDown"),
        ("cut short", ".tree/00000", "damaged"),
        ("cut short", "/wal/0", "damaged"),
        ("breaks off", "/wal/0", "could not be reached"),
    )
    for fault, part, cause in lasting:
        trouble.fault = always(fault, part)
        found = drill(world, history.target.isoformat(), database=remote)
        assert cause in told(found)
        trouble.fault = nothing
        assert nothing_is_left(world, database=remote)
