"""What a drill costs beyond restoring and verifying: locating, pointing staging and back, tearing down."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from time import sleep

import psycopg

from deployments.bench.measures import Measurement
from deployments.stage import Stage

LIMIT_S = 5.0
SCALE = 0.2
RESTORING = ("fetch", "replay", "promote", "verify")
BEACONS_S = 12


def measure(folder: Path, say: Callable[[str], None]) -> Measurement:
    """One drill on a scratch stack: its whole length less restoring and verifying."""
    stage = Stage(folder, SCALE)
    stage.clear()
    try:
        say("a stack for the drill")
        stage.must("up", "--json")
        sleep(BEACONS_S)
        _archive(stage)
        say("a drill on it")
        drill = json.loads(stage.must("drill", "--json"))
        return Measurement(
            "drill less restore and verify", _overhead(stage, drill["id"]), LIMIT_S, "limit", 1.0
        )
    finally:
        stage.firstuser("down", quiet=True)


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


def _seconds(started: datetime, finished: datetime) -> float:
    return (finished - started).total_seconds()


def _archive(stage: Stage) -> None:
    with psycopg.connect(stage.admin_url, autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")
