"""The checks of `make check` that are our own: they say aloud what they could not look at, and can fail."""

import subprocess
from pathlib import Path

from deployments import audit, secret_scan
from deployments.audit import Answer

SAID = {
    "dependencies": [
        {"name": "good", "version": "1", "vulns": []},
        {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3"]}]},
        {"name": "unknown", "skip_reason": "Dependency not found"},
    ]
}


def test_what_nobody_answered_for_is_never_taken_for_good() -> None:
    nothing = Answer(0, {}, ["good", "bad"])
    for answers in ([None, None], [None, nothing]):
        fine, lines = audit.verdict(answers, required=False)
        assert fine and "COULD NOT BE CHECKED" in lines[0] and not [one for one in lines if "no known" in one]
        assert not audit.verdict(answers, required=True)[0]


def test_a_known_vulnerability_fails() -> None:
    answer = audit.read(SAID)
    assert (answer.checked, answer.unchecked) == (2, ["unknown"])
    fine, lines = audit.verdict([answer], required=False)
    assert not fine and "VULNERABLE bad 2: PYSEC-2026-1" in lines[0]
    assert any("1 packages COULD NOT BE CHECKED: unknown" in line for line in lines)


def test_what_is_not_locked_is_named() -> None:
    hashed = "one==1.0 \\\n    --hash=sha256:aa\n"
    assert audit.unlocked(hashed) == []
    assert audit.unlocked(f"{hashed}two>=2 \\\n    --hash=sha256:bb\nthree==3\n") == ["two>=2", "three==3"]
    assert audit.unlocked(audit.LOCK.read_text()) == []


def test_a_credential_that_git_keeps_is_found_and_not_shown(tmp_path: Path) -> None:
    key = "fu_live_" + "a" * 16 + "_" + "b" * 47
    (tmp_path / "notes.md").write_text(f"first\nour key is {key}\n")
    (tmp_path / "ignored.md").write_text(key)
    (tmp_path / "named.md").write_text("postgresql://{user}:{password}@host/db\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "notes.md", "named.md"], check=True)
    (found,) = secret_scan.scan(tmp_path)
    assert found[:2] == ("notes.md", 2) and key not in str(found)
