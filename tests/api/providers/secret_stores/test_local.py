"""The environment file as a store: what the settings read, whole at every moment, for its owner only."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from api.core.errors import Unavailable
from api.core.rotation.stores import Stage
from api.providers.secret_stores.local import EnvFile
from api.providers.secret_stores.variables import VariableStore
from api.settings import load

WRITER = """
import sys
from itertools import count
from pathlib import Path
from api.providers.secret_stores.local import EnvFile
file = EnvFile(Path(sys.argv[1]))
for number in count():
    file.set({sys.argv[2]: sys.argv[2] * 20 + str(number)})
    if number == int(sys.argv[3]):
        break
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "production.env"
    file.write_text("# by hand\nFOUNDER_PHONES='+15550100001'\nexport SESSION_SECRET=old\n")
    file.chmod(0o600)
    return file


def test_the_settings_read_the_ring(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SESSION_SECRET", raising=False)
    store = VariableStore(EnvFile(file))
    store.put_pending("SESSION_SECRET", 2, "it's \\new\\")
    store.promote("SESSION_SECRET", 2)
    platform = load(file).platform
    assert platform.session_secret.get_secret_value() == "it's \\new\\"
    assert platform.session_secret_previous is not None
    assert platform.session_secret_previous.get_secret_value() == "old"
    assert platform.founder_phone_list == ["+15550100001"]
    assert file.read_text().startswith("# by hand\n")


def test_the_file_is_for_its_owner_only(file: Path) -> None:
    file.chmod(0o644)
    VariableStore(EnvFile(file)).put_pending("SESSION_SECRET", 2, "new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir() if "draft" in path.name] == []


def test_an_absent_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is not there"):
        VariableStore(EnvFile(tmp_path / "none.env")).read("SESSION_SECRET", Stage.CURRENT)


def _writer(file: Path, name: str, times: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(file), name, str(times)])


def test_two_processes_do_not_lose_each_others_change(file: Path) -> None:
    writers = [_writer(file, name, 60) for name in ("AAA", "BBB", "CCC")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    found = EnvFile(file).get(["AAA", "BBB", "CCC", "SESSION_SECRET"])
    assert [found[name][-2:] for name in ("AAA", "BBB", "CCC")] == ["60", "60", "60"]
    assert found["SESSION_SECRET"] == "old"


def test_killed_while_writing_the_file_is_whole(file: Path) -> None:
    for pause in (0.0, 0.003, 0.007):
        writer = _writer(file, "AAA", -1)
        while not EnvFile(file).get(["AAA"]):
            assert writer.poll() is None
        time.sleep(pause)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        assert file.read_text().endswith("'\n")
        assert EnvFile(file).get(["SESSION_SECRET"]) == {"SESSION_SECRET": "old"}
        EnvFile(file).set({"AAA": None})
