"""Credentials in what git keeps: `python -m deployments.secret_scan`, a part of `make check`.

By the shapes of `api.redaction`, in every tracked file. Made-up ones, which tests and documents need, are
listed in tests/planted_credentials.txt, each by its file and its fingerprint: `--plant` lists anew what
there is, for a person to look through. Prints where, never what. Exits with 1 for any that is not listed.
"""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from api.redaction import CREDENTIAL

ROOT = Path(__file__).parents[1]
PLANTED = ROOT / "tests" / "planted_credentials.txt"
_LARGEST = 1_000_000
_NAMED = re.compile(r"[{}$<>…•]|\.\.\.|[^\s:]*:[^\s:]{1,15}\Z")
"""The place of one, as in `{password}`; or an address with a password too short to be of our making."""


def tracked(root: Path) -> Iterator[Path]:
    said = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True)
    yield from (root / name for name in said.stdout.decode().split("\0") if name)


def found_in(text: str) -> Iterator[tuple[int, str]]:
    """(line, from 1; fingerprint) of what looks like a credential."""
    for one in CREDENTIAL.finditer(text):
        if not _NAMED.search(one[0]):
            yield text.count("\n", 0, one.start()) + 1, hashlib.sha256(one[0].encode()).hexdigest()[:16]


def scan(root: Path) -> Iterator[tuple[str, int, str]]:
    """(file, line, fingerprint)."""
    for path in tracked(root):
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST:
            text = path.read_bytes().decode(errors="ignore")
            yield from ((path.relative_to(root).as_posix(), *one) for one in found_in(text))


def main(words: Sequence[str]) -> int:
    found = list(scan(ROOT))
    if "--plant" in words:
        PLANTED.write_text(
            "".join(f"{line}\n" for line in sorted({f"{name} {mark}" for name, _, mark in found}))
        )
        return 0
    planted = set(PLANTED.read_text().splitlines())
    strange = [(name, line) for name, line, mark in found if f"{name} {mark}" not in planted]
    for name, line in strange:
        print(f"secret scan: {name}:{line} looks like a credential")  # noqa: T201
    print(f"secret scan: {len(found) - len(strange)} planted ones, {len(strange)} others")  # noqa: T201
    if strange:
        print("secret scan: if they are made up: python -m deployments.secret_scan --plant")  # noqa: T201
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
