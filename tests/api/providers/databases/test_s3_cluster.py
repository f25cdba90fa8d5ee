"""The whole way through S3: archiver process, backups, restore; and what happens when S3 says no."""

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from api.core.errors import Rejected, Unavailable
from api.core.ports import Handle, Progress, RestoreTarget
from api.providers.databases.embedded.account import choose_account
from api.providers.databases.embedded.archiver import Archiver
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.home import PostgresHome, open_home
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.stores import open_store
from api.settings import Settings
from api.settings.store import StoreSettings
from deployments.bench.places import free_port
from tests.api.providers.databases.conftest import ids_in, make_history, now, until
from tests.s3 import store_settings


@pytest.fixture(scope="module")
def on_s3(cluster_settings: Settings, s3_settings: StoreSettings) -> Iterator[EmbeddedDatabase]:
    """A cluster of its own with a running archiver process."""
    state = Path(tempfile.mkdtemp(prefix="firstuser-"))
    state.chmod(0o755)
    stack = cluster_settings.stack.model_copy(update={"state_dir": state, "postgres_port": free_port()})
    settings = replace(cluster_settings, stack=stack, store=s3_settings)
    cluster = Cluster.from_settings(settings)
    cluster.initialise(durable=False)
    env = {
        "PATH": "/usr/bin:/bin",
        "FIRSTUSER_STATE_DIR": str(state),
        "FIRSTUSER_STORE_URL": s3_settings.url,
        "FIRSTUSER_S3_ENDPOINT_URL": s3_settings.s3_endpoint_url or "",
        "AWS_ACCESS_KEY_ID": s3_settings.access_key_id or "",
        "AWS_SECRET_ACCESS_KEY": s3_settings.secret_access_key.get_secret_value()
        if s3_settings.secret_access_key
        else "",
    }
    archiver = subprocess.Popen([sys.executable, "-m", "api.providers.databases.embedded.archiver"], env=env)
    try:
        cluster.start()
        yield EmbeddedDatabase.from_settings(settings)
    finally:
        cluster.stop()
        archiver.send_signal(signal.SIGTERM)
        assert archiver.wait(20) == 0
        shutil.rmtree(state, ignore_errors=True)


def test_backups_and_wal_through_s3_restore_exactly(on_s3: EmbeddedDatabase) -> None:
    history = make_history(on_s3)
    for target, rows in ((history.middle, history.middle_rows), (history.target, history.rows)):
        seen: list[Progress] = []
        plan = on_s3.locate(RestoreTarget(target))
        handle = on_s3.restore(plan, "drill-s3", now() + timedelta(hours=1), seen.append)
        on_s3.wait(handle, seen.append)
        assert ids_in(on_s3.dsn(handle, "reader")) == list(range(rows))
        on_s3.promote(handle)
        assert [fact for fact in on_s3.verify(handle) if not fact.ok] == []
        assert {"fetch", "replay"} <= {each.phase for each in seen}
        on_s3.destroy(handle)
        assert on_s3.orphans(now()) == []
    assert on_s3.verify_backup(history.incremental.id).verified_at
    assert on_s3.wal_gaps() == []


def test_a_damaged_piece_in_s3_stops_the_restore(on_s3: EmbeddedDatabase) -> None:
    record = on_s3.take_backup("full")
    on_s3.seal()
    target = RestoreTarget(record.stopped_at + timedelta(microseconds=1))
    on_s3.store.put_bytes("scrap", b"not a tar")
    store = on_s3.store
    garbage = store._raw("scrap.zst", "scrap")  # pyright: ignore
    store._put(f"backups/{record.id}/data.tree/00000.zst", garbage[:-4] + b"\0\0\0\0")  # pyright: ignore
    plan = on_s3.locate(target)
    try:
        with pytest.raises(Rejected, match="damaged"):
            on_s3.restore(plan, "drill-bad", now() + timedelta(hours=1), lambda _: None)
    finally:
        on_s3.destroy(Handle("drill-bad", now(), now()))
    assert on_s3.orphans(now()) == []


def test_the_server_is_told_why_s3_refuses(tmp_path: Path, s3_settings: StoreSettings) -> None:
    """The archiver's note is what the server's log will show. It names the setting, not the secret."""
    home = fake_home(tmp_path)
    wrong = store_settings(s3_settings.s3_endpoint_url or "", secret="not-the-secret")
    archiver = Archiver(home, open_store(wrong, tmp_path))
    assert until(lambda: stepped(archiver, home.archiver / "failed" / SEGMENT))
    said = (home.archiver / "failed" / SEGMENT).read_text()
    assert "AWS_SECRET_ACCESS_KEY" in said
    assert "not-the-secret" not in said


def test_a_segment_is_uploaded_once_and_a_different_one_refused(
    tmp_path: Path, s3_settings: StoreSettings
) -> None:
    store = open_store(store_settings(s3_settings.s3_endpoint_url or "", prefix=tmp_path.name), tmp_path)
    home = fake_home(tmp_path / "one")
    for fill, note in ((b"\x01", "done"), (b"\x01", "done"), (b"\x02", "failed")):
        home = fake_home(tmp_path / f"{note}-{fill.hex()}", fill)
        archiver = Archiver(home, store)
        assert until(partial(stepped, archiver, home.archiver / note / SEGMENT))
        home.state.rename(tmp_path / f"seen-{time.monotonic_ns()}")
    (refused,) = tmp_path.glob(f"seen-*/pg/archiver/failed/{SEGMENT}")
    assert "FIRSTUSER_STORE_URL" in refused.read_text()


def test_the_notes_go_when_the_server_has_taken_them(tmp_path: Path, s3_settings: StoreSettings) -> None:
    store = open_store(store_settings(s3_settings.s3_endpoint_url or "", prefix=tmp_path.name), tmp_path)
    home = fake_home(tmp_path)
    archiver = Archiver(home, store)
    assert until(lambda: stepped(archiver, home.archiver / "done" / SEGMENT))
    (home.data / "pg_wal" / "archive_status" / f"{SEGMENT}.ready").unlink()
    archiver.step()
    assert list((home.archiver / "done").iterdir()) == []


def test_a_restore_with_wrong_credentials_leaves_nothing(
    on_s3: EmbeddedDatabase, s3_settings: StoreSettings
) -> None:
    wrong = store_settings(s3_settings.s3_endpoint_url or "", secret="not-the-secret")
    blind = EmbeddedDatabase(on_s3.cluster, open_store(wrong, Path("/")), on_s3.settings)
    with pytest.raises((Rejected, Unavailable), match="AWS_SECRET_ACCESS_KEY"):
        blind.locate(RestoreTarget(now()))
    assert blind.orphans(now()) == []


def test_the_server_holds_no_s3_credentials(on_s3: EmbeddedDatabase) -> None:
    with psycopg.connect(on_s3.source_dsn("admin")) as connection:
        settings = connection.execute(
            "SELECT string_agg(name || '=' || setting, E'\\n') FROM pg_settings"
        ).fetchone()
    assert settings is not None
    assert "test-secret-key" not in settings[0]


SEGMENT = "000000010000000000000001"


def fake_home(folder: Path, fill: bytes = b"\x01") -> PostgresHome:
    """As the server would leave it with one finished segment."""
    (folder / "pg").mkdir(parents=True)
    home = open_home(folder, replace(choose_account(), switch=False))
    status = home.data / "pg_wal" / "archive_status"
    status.mkdir(parents=True)
    (status / f"{SEGMENT}.ready").touch()
    (home.data / "pg_wal" / SEGMENT).write_bytes(fill * 16 * 1024 * 1024)
    for name in ("done", "failed"):
        (home.archiver / name).mkdir()
    return home


def stepped(archiver: Archiver, note: Path) -> bool:
    archiver.step()
    return note.exists()
