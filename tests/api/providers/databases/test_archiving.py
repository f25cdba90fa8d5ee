"""The shell scripts between the server and its archive, run as the server runs them."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from api.providers.databases.embedded.account import choose_account
from api.providers.databases.embedded.archiving import install_scripts
from api.providers.databases.embedded.home import PostgresHome, open_home
from api.settings.store import StoreSettings

SEGMENT = "000000010000000000000001"
_MEGABYTE = 1024 * 1024


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PostgresHome:
    """Scripts are run by ourselves here, so the home may be anywhere."""
    account = choose_account() if os.geteuid() else choose_account("nobody")
    (tmp_path / "pg").mkdir()
    made = open_home(tmp_path, account)
    install_scripts(made, account, StoreSettings.model_construct(url=""))
    return made


def archive(home: PostgresHome, source: Path, name: str = SEGMENT) -> subprocess.CompletedProcess[str]:
    script = home.scripts / "archive-to-directory"
    return subprocess.run(
        ["sh", str(script), str(home.store / "wal"), str(source), name],
        capture_output=True,
        text=True,
        check=False,
    )


def restore(home: PostgresHome, name: str, target: Path) -> int:
    script = home.scripts / "restore-segment"
    argv = ["sh", str(script), str(home.store / "wal"), name, str(target)]
    return subprocess.run(argv, check=False, timeout=20).returncode


def segment(folder: Path, fill: bytes = b"\x01") -> Path:
    path = folder / f"segment-{fill.hex()}"
    path.write_bytes(fill * 16 * _MEGABYTE)
    return path


def test_a_segment_is_stored_whole_and_nothing_else_is(home: PostgresHome, tmp_path: Path) -> None:
    source = segment(tmp_path)
    assert archive(home, source).returncode == 0
    assert (home.store / "wal" / SEGMENT).read_bytes() == source.read_bytes()
    assert [path.name for path in (home.store / "wal").iterdir()] == [SEGMENT]


def test_archiving_it_again_succeeds_only_when_it_is_the_same(home: PostgresHome, tmp_path: Path) -> None:
    assert archive(home, segment(tmp_path)).returncode == 0
    assert archive(home, segment(tmp_path)).returncode == 0
    other = archive(home, segment(tmp_path, b"\x02"))
    assert other.returncode != 0
    assert "other content" in other.stderr
    assert (home.store / "wal" / SEGMENT).read_bytes()[:1] == b"\x01"


def test_a_failed_copy_leaves_nothing_behind(home: PostgresHome, tmp_path: Path) -> None:
    done = archive(home, tmp_path / "absent")
    assert done.returncode != 0
    assert list((home.store / "wal").iterdir()) == []


def test_a_segment_takes_no_interpreter_and_little_time(home: PostgresHome, tmp_path: Path) -> None:
    """Generous, for a busy machine: what it costs at rest is measured elsewhere."""
    source = segment(tmp_path)
    started = time.monotonic()
    for number in range(5):
        assert archive(home, source, f"{number:024X}").returncode == 0
    assert (time.monotonic() - started) / 5 < 0.5
    script = (home.scripts / "archive-to-directory").read_text()
    assert "python" not in script


def test_a_history_file_that_is_absent_is_answered_at_once(home: PostgresHome, tmp_path: Path) -> None:
    started = time.monotonic()
    assert restore(home, "00000002.history", tmp_path / "x") != 0
    assert restore(home, SEGMENT, tmp_path / "x") != 0
    assert time.monotonic() - started < 2


def test_a_segment_is_linked_not_copied(home: PostgresHome, tmp_path: Path) -> None:
    archive(home, segment(tmp_path))
    assert restore(home, SEGMENT, tmp_path / "restored") == 0
    assert (tmp_path / "restored").stat().st_ino == (home.store / "wal" / SEGMENT).stat().st_ino


def test_waiting_ends_when_the_segment_arrives(home: PostgresHome, tmp_path: Path) -> None:
    wal = home.store / "wal"
    (wal / ".expected").mkdir()
    (wal / ".expected" / SEGMENT).touch()
    (wal / ".alive").touch()
    script = home.scripts / "restore-segment"
    waiting = subprocess.Popen(["sh", str(script), str(wal), SEGMENT, str(tmp_path / "x")])
    time.sleep(0.3)
    assert waiting.poll() is None
    archive(home, segment(tmp_path))
    assert waiting.wait(10) == 0


@pytest.mark.parametrize("how", ["the fetch failed", "the fetcher died"])
def test_waiting_never_hangs(home: PostgresHome, tmp_path: Path, how: str) -> None:
    wal = home.store / "wal"
    (wal / ".expected").mkdir()
    (wal / ".expected" / SEGMENT).touch()
    (wal / ".alive").touch()
    script = home.scripts / "restore-segment"
    waiting = subprocess.Popen(["sh", str(script), str(wal), SEGMENT, str(tmp_path / "x")])
    time.sleep(0.2)
    assert waiting.poll() is None
    if how == "the fetch failed":
        (wal / ".expected" / SEGMENT).unlink()
    else:
        long_ago = time.time() - 200
        os.utime(wal / ".alive", (long_ago, long_ago))
    assert waiting.wait(10) == 1


def test_without_an_archiver_process_the_server_is_told(home: PostgresHome) -> None:
    script = home.scripts / "archive-through-archiver"
    done = subprocess.run(
        ["sh", str(script), str(home.archiver), SEGMENT],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    assert done.returncode != 0
    assert "archiver" in done.stderr
