"""`firstuser evidence`: verify names what is wrong and exits with 1; keys follow one another in the file."""

import base64
import json
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr
from typer import Typer
from typer.testing import CliRunner, Result

from api import evidence_keys
from api.core.errors import FirstUserError, Refused
from api.core.evidence import service
from api.db.engine import Engine, make_engine, session_scope
from api.providers.databases.embedded.cluster import Cluster
from api.settings import EvidenceSettings, Settings
from deployments.commands import evidence
from deployments.commands.evidence import exporting, keys, reading
from flows import wiring
from tests.api.core.evidence.ledgers import sample
from tests.product import NOW, new_database

Run = Callable[..., Result]
KEY = base64.b64encode(b"\x01" * 32).decode()


def invoke(*words: str) -> Result:
    app = Typer()
    evidence.register(app)
    return CliRunner().invoke(app, ["evidence", *words])


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    file = tmp_path / "production.env"
    file.write_text(f"OTHER='kept'\nFIRSTUSER_EVIDENCE_KEY='{KEY}'\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def ledger(
    cluster: Cluster, cluster_settings: Settings, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    """A stack with three records, whose settings come from `env_file`."""
    made = make_engine(new_database(cluster))
    monkeypatch.setenv("FIRSTUSER_ENV_FILE", str(env_file))
    evidence_keys.sign(made, cluster_settings, env_file)
    for module in (exporting, keys, reading):
        monkeypatch.setattr(module, "open_service", lambda: None)
    monkeypatch.setattr("deployments.local.stack.open_service", lambda: None)
    monkeypatch.setattr(wiring, "transaction", partial(session_scope, made))
    monkeypatch.setattr(
        wiring, "settings", lambda: replace(cluster_settings, evidence=EvidenceSettings.read(env_file))
    )
    with session_scope(made) as session:
        for n in range(3):
            service.append(session, "drills", "drill", {"n": n}, NOW)
    return made


def document(done: Result, code: int = 0) -> dict[str, Any]:
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


def test_verify_says_what_is_whole_and_names_what_is_not(ledger: Engine) -> None:
    assert "drills: 3 records" in invoke("verify").stdout
    found = document(invoke("verify", "--json"))
    assert (found["whole"], found["faults"], len(found["trusted"])) == (True, [], 0)
    with psycopg.connect(ledger.url.set(drivername="postgresql").render_as_string(False)) as owner:
        owner.execute("ALTER TABLE ops.evidence DISABLE TRIGGER USER")
        owner.execute("UPDATE ops.evidence SET body = '{}' WHERE stream = 'drills' AND seq = 2")
    found = document(invoke("verify", "--json"), code=1)
    assert [(fault["stream"], fault["seq"]) for fault in found["faults"]] == [("drills", 2)]
    assert "(record 2) was changed" in invoke("verify").stdout


@pytest.mark.parametrize("ending", ["json", "csv", "html"])
def test_an_export_is_private_and_verifies(ledger: Engine, tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"ledger.{ending}"
    made = document(invoke("export", str(file), "--json"))
    assert (made["format"], made["records"]) == (ending, 5)  # three, the key's and a checkpoint
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    public = tmp_path / "public.pem"
    public.write_text(invoke("key").stdout)
    assert document(invoke("verify", str(file), "--key", str(public), "--json"))["whole"]
    file.write_text(file.read_text().replace("drill", "dri11", 1))
    assert invoke("verify", str(file)).exit_code == 1


def test_an_older_export_misses_what_was_cut_off(ledger: Engine, tmp_path: Path) -> None:
    file = tmp_path / "older.json"
    invoke("export", str(file))
    with psycopg.connect(ledger.url.set(drivername="postgresql").render_as_string(False)) as owner:
        owner.execute("ALTER TABLE ops.evidence DISABLE TRIGGER USER")
        owner.execute("DELETE FROM ops.evidence WHERE stream = 'checkpoints' OR seq = 3")
    assert invoke("verify").exit_code == 0
    assert "missing from the end" in invoke("verify", "--against", str(file)).stdout


def test_offline_it_needs_neither_database_nor_settings(tmp_path: Path) -> None:
    """As a person would who has the export and the package, and nothing else."""
    file = tmp_path / "ledger.json"
    file.write_text(sample().export())
    command = [sys.executable, "-m", "deployments.cli", "evidence", "verify", str(file)]
    done = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "rotations: 2 records" in done.stdout
    file.write_text(sample().export().replace("API key", "API kez"))
    done = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "evd_rotations_1 (record 1) was changed" in done.stdout


def test_a_new_key_is_endorsed_stored_privately_and_used_at_once(ledger: Engine, env_file: Path) -> None:
    before = document(invoke("key", "--json"))["key_id"]
    made = document(invoke("rotate-key", "--json"))
    assert made["before"] == before != made["key_id"]
    text = env_file.read_text()
    assert "OTHER='kept'" in text
    assert KEY not in text
    assert "PENDING" not in text
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    with session_scope(ledger) as session:  # a running process
        service.append(session, "drills", "drill", {"n": 4}, NOW)
        assert service.records(session, "drills")[-1].key_id == made["key_id"]
    assert invoke("retire-key", before).exit_code == 0
    listed = document(invoke("keys", "--json"))["keys"]
    assert [(key["key_id"], key["endorsed_by"]) for key in listed] == [
        (before, before),
        (made["key_id"], before),
    ]
    assert [bool(key["retired_at"]) for key in listed] == [True, False]
    assert invoke("verify").exit_code == 0
    assert KEY not in invoke("keys").output + invoke("verify", "--json").output


@pytest.mark.parametrize("killed_at", ["after the key is on disk", "after the ledger knows it"])
def test_a_rotation_that_was_killed_goes_on_with_the_same_key(
    ledger: Engine, env_file: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    real = keys.EnvFile.set
    with monkeypatch.context() as patch:
        if killed_at == "after the key is on disk":
            patch.setattr(keys.keyring, "endorse", dies)
        else:
            patch.setattr(
                keys.EnvFile, "set", lambda self, new: dies() if keys.KEY in new else real(self, new)
            )
        with pytest.raises(Killed):
            keys.rotate_key()
    waiting = evidence_keys.read(EvidenceSettings(key=EvidenceSettings.read(env_file).key_pending))
    assert waiting is not None
    assert SecretStr(KEY) == EvidenceSettings.read(env_file).key
    assert invoke("verify").exit_code == 0
    assert document(invoke("rotate-key", "--json"))["key_id"] == waiting.id
    assert [key["key_id"] for key in document(invoke("keys", "--json"))["keys"]][1:] == [waiting.id]
    assert invoke("verify").exit_code == 0


def test_a_lost_key_begins_the_chain_anew(ledger: Engine, env_file: Path) -> None:
    lost = document(invoke("key", "--json"))["key_id"]
    fresh = document(invoke("rotate-key", "--lost", "--json"))
    assert invoke("verify").exit_code == 0  # our own key is the trusted one
    assert document(invoke("verify", "--key", fresh["public_key"], "--json"))["whole"]
    assert fresh["key_id"] != lost


def test_records_are_listed_and_shown(ledger: Engine) -> None:
    newest = document(invoke("list", "--stream", "drills", "--json"))["records"]
    assert [record["seq"] for record in newest] == [3, 2, 1]
    assert document(invoke("show", newest[0]["id"], "--json")) == newest[0]
    assert newest[0]["id"] in invoke("list").stdout
    assert invoke("show", "evd_none").exception is not None


def test_what_cannot_be_done_is_refused_with_a_remedy(ledger: Engine, tmp_path: Path) -> None:
    for words in (
        ("export", str(tmp_path / "ledger.docx")),
        ("export", "--bucket"),
        ("verify", str(tmp_path / "none")),
        ("verify", "--key", str(tmp_path / "none")),
        ("retire-key", "0" * 16),
    ):
        refusal = invoke(*words).exception
        assert isinstance(refusal, FirstUserError), words
        assert refusal.fix
    with pytest.raises(Refused, match="64 hex"):
        raise invoke("verify", "--key", "x" * 64).exception or AssertionError
