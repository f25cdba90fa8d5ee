"""Running PostgreSQL's programs as its OS user, and ending a server together with its children.

The children of a server call setsid, so a process group does not hold them: they are found by parent pid.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from api.core.errors import Rejected
from api.providers.databases.embedded.account import OsAccount

PROVIDER = "embedded"


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A bare environment: nothing of ours (secrets, PG* variables) reaches the server or its commands."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}


def run(
    argv: Sequence[str],
    account: OsAccount,
    *,
    operation: str,
    env: Mapping[str, str] | None = None,
    fix: str = "",
) -> str:
    """Run to the end and return stdout. Raises `Rejected` with the end of stderr."""
    done = attempt(argv, account, env=env)
    if done.returncode != 0:
        raise Rejected(
            f"{Path(argv[0]).name} failed ({done.returncode}): {done.stderr.strip()[-1500:]}",
            provider=PROVIDER,
            operation=operation,
            fix=fix,
        )
    return done.stdout


def attempt(
    argv: Sequence[str], account: OsAccount, *, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end, whatever the outcome."""
    return subprocess.run(
        list(argv),
        env=environment(env),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        **account.popen_options(),
    )


def launch(
    argv: Sequence[str], account: OsAccount, log: Path, *, env: Mapping[str, str] | None = None
) -> subprocess.Popen[Any]:
    """Start in a session of its own, so that it outlives us; output is appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(argv),
            env=environment(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **account.popen_options(),
        )


def postmaster_pid(data: Path) -> int | None:
    """The live server of a data directory; a stale pid file, or a pid since reused, is no server."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
        return pid if str(data) in " ".join(psutil.Process(pid).cmdline()) else None
    except (FileNotFoundError, NotADirectoryError, ValueError, psutil.Error):
        return None


def postmaster_port(data: Path) -> int | None:
    """The port that the live server of `data` listens on."""
    if postmaster_pid(data) is None:
        return None
    with suppress(FileNotFoundError, IndexError, ValueError):
        return int((data / "postmaster.pid").read_text().split("\n")[3])
    return None


def stop_server(data: Path, how: signal.Signals = signal.SIGINT, timeout_s: float = 30) -> None:
    """End the server of `data`: SIGINT is a fast shutdown, SIGQUIT an immediate one. Then SIGKILL."""
    pid = postmaster_pid(data)
    if pid is None:
        return
    with suppress(psutil.NoSuchProcess):
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
        server.send_signal(how)
        _, alive = psutil.wait_procs(family, timeout=timeout_s)
        kill(alive)


def kill(processes: Sequence[psutil.Process]) -> None:
    """SIGKILL and wait. Processes that are gone already are fine."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def programs_working_in(folder: Path, binaries: Path) -> list[psutil.Process]:
    """Our PostgreSQL programs with `folder`, or something below it, as an argument, and their children.

    Only programs started from `binaries` count: someone's `tail -f` of a log in there is not ours.
    """
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter(["cmdline"]):
        arguments: list[str] = process.info["cmdline"] or [""]
        ours = Path(arguments[0]).parent == binaries
        if ours and any(_names(argument, folder) for argument in arguments[1:]):
            with suppress(psutil.NoSuchProcess):
                found.update({each.pid: each for each in (process, *process.children(recursive=True))})
    return list(found.values())


def _names(argument: str, folder: Path) -> bool:
    path = argument.partition("=")[2] if argument.startswith("--") else argument
    return path == str(folder) or path.startswith(f"{folder}{os.sep}")
