"""What a drill costs beyond restoring and verifying: locating, pointing staging and back, tearing down; and
what a preflight costs beyond its slowest check."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from time import sleep

import psutil
import psycopg

from deployments.bench.measures import Measurement
from deployments.stage import Stage

LIMIT_S = 5.0
PREFLIGHT_GOAL = 1.3
MEMORY_LIMIT_MB = 300
SCALE = 0.2
RESTORING = ("fetch", "replay", "promote", "verify")
BEACONS_S = 12


def measure(folder: Path, say: Callable[[str], None]) -> list[Measurement]:
    """One drill on a scratch stack: its length less restoring and verifying, and its process's memory."""
    stage = Stage(folder, SCALE, FIRSTUSER_SCHEDULES="off")  # a minutely run beside it would be measured too
    stage.clear()
    try:
        say("a stack for the drill")
        stage.must("up", "--json")
        sleep(BEACONS_S)
        _archive(stage)
        say("a drill on it")
        with watched(stage) as peak:
            drill = json.loads(stage.must("drill", "--json"))
        overhead = _overhead(stage, drill["id"])
        say("a preflight on it")
        wall, slowest = _preflight(stage)
        return [
            Measurement("preflight, all checks at once", wall, slowest, "its slowest check", PREFLIGHT_GOAL),
            Measurement("drill less restore and verify", overhead, LIMIT_S, "limit", 1.0),
            Measurement("peak memory of a drill", peak[0] / 1e6, MEMORY_LIMIT_MB, "limit", 1.0, "MB"),
        ]
    finally:
        stage.firstuser("down", quiet=True)


@contextmanager
def watched(stage: Stage) -> Generator[list[int]]:
    """The largest process in which the worker executes flow runs, in bytes, sampled until the block ends."""
    peak, stop = [0], Event()
    parts = json.loads(stage.must("status", "--json"))["parts"]
    worker = psutil.Process(next(part["pid"] for part in parts if part["name"] == "prefect-worker"))

    def watch() -> None:
        while not stop.wait(0.02):
            for process in worker.children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if "flow_run" in " ".join(process.cmdline()):
                        peak[0] = max(peak[0], process.memory_info().rss)

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()


def _overhead(stage: Stage, drill_id: str) -> float:
    with psycopg.connect(stage.admin_url) as connection:
        row = connection.execute(
            "SELECT started_at, finished_at, rto_parts FROM ops.drills WHERE id = %s", (drill_id,)
        ).fetchone()
    if row is None:
        raise LookupError(drill_id)
    started, finished, parts = row
    whole = _seconds(started, finished)
    return whole - sum(parts[name] for name in RESTORING)


def _preflight(stage: Stage) -> tuple[float, float]:
    """From its row's opening to its verdict, and its slowest check; what the verdict is does not matter."""
    run = json.loads(stage.firstuser("preflight", "--json", quiet=True).stdout)
    wall = _seconds(datetime.fromisoformat(run["started_at"]), datetime.fromisoformat(run["finished_at"]))
    return wall, max(result["seconds"] for result in run["results"])


def _seconds(started: datetime, finished: datetime) -> float:
    return (finished - started).total_seconds()


def _archive(stage: Stage) -> None:
    with psycopg.connect(stage.admin_url, autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")
