"""The image: pinned, small, nobody's root; its lock holds the very versions that the tests ran with."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deployments" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [
    (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
    for line in DOCKERFILE.splitlines()
    if line and not line.startswith(("#", " "))
]


def locked(file: Path) -> dict[str, frozenset[str]]:
    """Name → version and hashes; the markers depend on who else needs it."""
    found: dict[str, frozenset[str]] = {}
    for block in re.split(r"\n(?=\S)", file.read_text()):
        name, _, rest = block.partition("==")
        found[name.strip()] = frozenset({rest.split()[0], *re.findall(r"--hash=\S+", rest)})
    return found


def test_it_has_the_very_versions_that_were_tested() -> None:
    tested, image = locked(ROOT / "requirements.lock"), locked(DOCKER / "requirements.lock")
    assert [name for name in image if image[name] != tested.get(name)] == [], "run `make lock-image`"
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    excluded = {
        line for line in (DOCKER / "excluded.txt").read_text().splitlines() if not line.startswith("#")
    }
    names = {Requirement(one).name for one in wanted}
    assert names - excluded <= set(image), "run `make lock-image`"
    assert not excluded & set(image)
    assert "pytest" not in image
    assert all(len(rest) > 1 for rest in image.values())


def test_its_base_is_pinned_and_it_runs_as_nobody() -> None:
    stages = [words for name, words in INSTRUCTIONS if name == "FROM"]
    outside = [words for words in stages if words.split()[0] != "base"]
    assert all(re.search(r"^python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64} ", words) for words in outside)
    users = [words for name, words in INSTRUCTIONS if name == "USER"]
    assert users[-1].partition(":")[0].isdigit() and int(users[-1].partition(":")[0]) > 0
    assert not [name for name, _ in INSTRUCTIONS if name == "ADD"]
    assert "--require-hashes" in DOCKERFILE
    assert "/api/healthz" in dict(INSTRUCTIONS)["HEALTHCHECK"]


def test_what_it_copies_is_there_and_nothing_else_is_sent() -> None:
    copied = [words.split()[-2] for name, words in INSTRUCTIONS if name == "COPY" and "--from" not in words]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[1] == "*"
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    assert {source.split("/")[0] for source in copied} == let_in


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is installed on Linux only")
    command = [str(hadolint), str(DOCKER / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
