"""Known vulnerabilities of what is locked: `python -m deployments.audit`, a part of `make check`.

pip-audit asks the package index, and OSV when that says nothing. What neither knows is said aloud, never
taken for good: COULD NOT BE CHECKED. Exits with 1 for a vulnerability that `IGNORED` gives no reason for;
with `--required` for anything unchecked, too.

What needs nobody's answer is always checked: every requirement is pinned, and with hashes.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"
IGNORED: Mapping[str, str] = {}
"""A vulnerability's id → why it does not concern us, and until when."""
_TIMEOUT_S = 120
_PINNED = re.compile(r"^[A-Za-z0-9._-]+(\[[^]]*\])?==[^\s;\\]+")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """`found`: package → ids. `unchecked`: packages that no database answered for."""

    checked: int
    found: Mapping[str, Sequence[str]]
    unchecked: Sequence[str]


def unlocked(lock: str) -> list[str]:
    """Requirements without an exact version or without a hash."""
    whole = lock.replace("\\\n", " ").splitlines()
    lines = [line.strip() for line in whole if line.strip() and not line.lstrip().startswith(("#", "-"))]
    return [line.split(" ")[0] for line in lines if not (_PINNED.match(line) and "--hash=sha256:" in line)]


def read(said: Mapping[str, Any]) -> Answer:
    """What pip-audit printed with `--format json`."""
    listed: list[dict[str, Any]] = said["dependencies"]
    skipped = [one["name"] for one in listed if "skip_reason" in one]
    found = {
        f"{one['name']} {one['version']}": [bad["id"] for bad in one["vulns"]]
        for one in listed
        if one.get("vulns")
    }
    return Answer(len(listed) - len(skipped), found, skipped)


def ask(service: str, lock: Path) -> Answer | None:
    """None when nobody answered."""
    program = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"]
    how = ["--vulnerability-service", service, "--disable-pip", "--require-hashes"]
    command = [*program, *how, "--requirement", str(lock)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        return read(json.loads(done.stdout))
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None


def verdict(answers: Sequence[Answer | None], *, required: bool) -> tuple[bool, list[str]]:
    """(whether all is well, what to print)."""
    known = [answer for answer in answers if answer is not None and answer.checked]
    lines = [
        f"audit: VULNERABLE {package}: {one}"
        for answer in known
        for package, ids in answer.found.items()
        for one in ids
        if one not in IGNORED
    ]
    bad = bool(lines)
    lines += [f"audit: ignored {one}: {why}" for one, why in IGNORED.items()]
    if not known:
        lines.append("audit: COULD NOT BE CHECKED: no vulnerability database answers from here")
        return not bad and not required, lines
    best = min(known, key=lambda answer: len(answer.unchecked))
    if best.unchecked:
        names = ", ".join(best.unchecked[:_SHOWN])
        lines.append(f"audit: {len(best.unchecked)} packages COULD NOT BE CHECKED: {names} …")
    if not bad:
        lines.append(f"audit: no known vulnerability in {best.checked} packages")
    return not bad and not (required and best.unchecked), lines


def main(words: Sequence[str]) -> int:
    loose = unlocked(LOCK.read_text())
    if loose:
        print("audit: not pinned, or without a hash:", ", ".join(loose))  # noqa: T201
        return 1
    first = ask("pypi", LOCK)
    answers = [first] if first and not first.unchecked else [first, ask("osv", LOCK)]
    fine, lines = verdict(answers, required="--required" in words)
    print("\n".join(lines))  # noqa: T201
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
