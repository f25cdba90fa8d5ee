"""Looking for secrets where none may be: as they are, in base64 at each alignment, and in hex.

secrets_of(stack)   every secret that the stack has on file, by name
leaks(...)          where any of them is found: files, rows of every database, command lines, environments
"""

import base64
import re
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import psutil
import psycopg
from dotenv import dotenv_values
from psycopg import sql
from pydantic import SecretStr

from api.core.crypto import several
from api.db.address import login_of
from api.settings import GROUPS
from tests.stack.conftest import StackUnderTest

SHORTEST = 16  # what is shorter is found by chance
SETTLED_S = 1.0  # a process that has just begun may still show its parent's environment
RING = re.compile(r"_(PREVIOUS|PENDING)$")


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """Never the value: this is printed."""

    where: str
    secret: str
    form: str


def secret_files(stack: StackUnderTest) -> list[Path]:
    """Where secrets belong."""
    state = stack.state
    home = (state.root / "pg").resolve()
    return [state.secrets, state.prefect_home / "profiles.toml", home / "secrets"]


def secrets_of(stack: StackUnderTest) -> dict[str, str]:
    state = stack.state
    found: dict[str, str] = {}
    for environment in ("production", "staging"):
        for name, value in dotenv_values(state.env_file(environment), interpolate=False).items():
            if value and RING.sub("", name) in _secret_names():
                found |= {f"{environment}:{name}:{at}": one for at, one in enumerate(several(value))}
            if value and RING.sub("", name) == "DATABASE_URL" and (password := login_of(value)[1]):
                found[f"{environment}:{name}"] = password
    for number, line in enumerate(state.passwords.read_text().splitlines()):
        found[f"pgpass:{number}"] = line.rpartition(":")[2]
    found["prefect login"] = state.prefect_login.read_text().strip().partition(":")[2]
    found["prefect key"] = state.prefect_key.read_text().strip()
    for file in sorted(state.secrets.glob("partner_keys*.json")):
        for number, key in enumerate(re.findall(r'": *"([^"]+)"', file.read_text())):
            found[f"{file.name}:{number}"] = key
    return {name: value for name, value in found.items() if len(value) >= SHORTEST}


def _secret_names() -> set[str]:
    """Variables whose setting is a `SecretStr`; a database's address has its password by file."""
    named = {
        group.variables()[name]
        for group in GROUPS.values()
        for name, field in group.model_fields.items()
        if field.annotation in (SecretStr, SecretStr | None)
    }
    return {name for name in named if not name.endswith("DATABASE_URL")}


def forms(value: str) -> dict[str, bytes]:
    """What to look for. Of base64 the characters at the ends depend on the neighbours: they are left out."""
    raw = value.encode()
    found = {"plain": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode()}
    for shift in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            padded = encode(b"\0" * shift + raw)
            found[f"{name}+{shift}"] = padded[-(-shift * 8 // 6) + (shift > 0) :].rstrip(b"=")[: -1 or None]
    found["url"] = quote(value, safe="").encode()
    found["reversed"] = raw[::-1]
    return found


@contextmanager
def watching(stack: StackUnderTest) -> Iterator[set[str]]:
    """Command lines, and environments of the stack's processes, of all that runs meanwhile, however short."""
    seen, over = set[str](), Event()

    def look() -> None:
        while not over.wait(0.2):
            seen.update(_processes(stack).values())

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def leaks(stack: StackUnderTest, secrets: Mapping[str, str], seen: Collection[str] = ()) -> list[Leak]:
    """`seen` while nobody looked: by `watching`."""
    needles = {
        (name, form): needle for name, value in secrets.items() for form, needle in forms(value).items()
    }
    with tempfile.TemporaryDirectory(prefix="firstuser-leaks-") as folder:
        patterns = Path(folder) / "patterns"
        patterns.touch(mode=0o600)
        patterns.write_bytes(b"\n".join(sorted(set(needles.values()))) + b"\n")
        rows = Path(folder) / "rows"
        rows.mkdir()
        _dump(stack, rows)
        for name, told in _processes(stack).items():
            (rows / name).write_text(told, errors="replace")
        (rows / "processes seen").write_text("\n".join(seen), errors="replace")
        suspects = [*_grep(patterns, rows, []), *_grep(patterns, stack.state.root, secret_files(stack))]
        home = (stack.state.root / "pg").resolve()
        if not home.is_relative_to(stack.state.root.resolve()):
            suspects += _grep(patterns, home, secret_files(stack))
        return sorted({leak for file in suspects for leak in _in_file(file, needles, rows)})


def _grep(patterns: Path, folder: Path, belongs: Sequence[Path]) -> list[Path]:
    """Files below `folder` with any of the patterns. Status 2: a file went while it was read."""
    command = ["grep", "--recursive", "--fixed-strings", "--text", "--files-with-matches", "--no-messages"]
    done = subprocess.run(
        [*command, f"--file={patterns}", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in {0, 1, 2}, done.stderr
    found = [Path(line) for line in done.stdout.splitlines()]
    kept = [path.resolve() for path in belongs]
    return [path for path in found if not any(path.resolve().is_relative_to(one) for one in kept)]


def _in_file(file: Path, needles: Mapping[tuple[str, str], bytes], rows: Path) -> Iterator[Leak]:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return
    where = file.name if file.is_relative_to(rows) else str(file)
    for (name, form), needle in needles.items():
        if needle in content:
            yield Leak(where, name, form)


def _dump(stack: StackUnderTest, folder: Path) -> None:
    """Every row of every database as text, a file per table; bytes become hex, JSON stays JSON."""
    base = f"postgresql://firstuser_admin@127.0.0.1:{stack.ports.postgres}"
    file = f"passfile={stack.state.passwords}"
    with psycopg.connect(f"{base}/postgres?{file}") as connection:
        names = [row[0] for row in connection.execute("select datname from pg_database where datallowconn")]
    for database in names:
        with psycopg.connect(f"{base}/{database}?{file}") as connection:
            tables = connection.execute(
                "select schemaname, tablename from pg_tables"
                " where schemaname not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, table in [*tables, ("pg_catalog", "pg_stat_activity")]:
                query = sql.SQL("copy (select t::text from {} t) to stdout").format(
                    sql.Identifier(schema, table)
                )
                target = folder / f"{database}.{schema}.{table}"
                with target.open("wb") as out, connection.cursor() as cursor, cursor.copy(query) as copy:
                    for data in copy:
                        out.write(data)


def _processes(stack: StackUnderTest) -> dict[str, str]:
    """Command lines of every process of this machine, environments of the stack's."""
    lines: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
    found = {"command lines": "\n".join(lines)}
    for process in stack.processes():
        with suppress(psutil.Error):
            if time.time() - process.create_time() < SETTLED_S:
                continue
            told = "\n".join(f"{key}={value}" for key, value in process.environ().items())
            found[f"environment of {process.name()} {process.pid}"] = told
    return found
