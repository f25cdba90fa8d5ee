"""Restore drills on the whole stack: they prove what they claim, refuse what they must, and leave nothing."""

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.stack.conftest import StackUnderTest
from tests.stack.drills import (
    archive_up_to_now,
    assert_tidy,
    database,
    processes_of_flow_runs,
    query,
    signed_in,
)

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

PRODUCT = {"login", "founder_tools", "integration_setup", "live_users"}
KEYS = {
    "id",
    "status",
    "target_time",
    "rto_seconds",
    "rto_parts",
    "rpo_seconds",
    "checks",
    "issues",
    "evidence_id",
}


def drill(stack: StackUnderTest, *words: str) -> tuple[int, dict[str, Any]]:
    done = stack.firstuser("drill", *words, "--json", check=False)
    return done.returncode, json.loads(done.stdout)


def red(answer: dict[str, Any]) -> set[str]:
    return {check["name"] for check in answer["checks"] if check["status"] not in {"pass", "skip"}}


def test_a_drill_under_traffic_passes_and_says_all_it_has_to_say(stack: StackUnderTest) -> None:
    traffic = start_traffic(stack, seconds=20)
    archive_up_to_now(stack)
    code, answer = drill(stack, "--checks", "all")
    traffic.wait(timeout=60)
    assert (code, answer["status"], answer["issues"]) == (0, "passed", [])
    assert answer.keys() >= KEYS
    assert list(answer["rto_parts"])[:6] == ["locate", "fetch", "replay", "promote", "point", "verify"]
    assert answer["rto_seconds"] == pytest.approx(
        sum(seconds for name, seconds in answer["rto_parts"].items() if name != "teardown"), abs=0.1
    )
    assert 0 < answer["rpo_seconds"] < 120
    names = {check["name"] for check in answer["checks"]}
    assert names >= PRODUCT | {"canary", "digest:entries", "sequences", "teardown", "amcheck"}
    assert_tidy(stack)
    assert stack.firstuser("evidence", "verify").returncode == 0


def start_traffic(stack: StackUnderTest, seconds: int) -> subprocess.Popen[bytes]:
    env = stack.environment | {
        "FIRSTUSER_ENV_FILE": str(stack.state.env_file("production")),
        "PGPASSFILE": str(stack.state.passwords),
    }
    command = [sys.executable, "-m", "deployments.local.traffic", "--base-url", stack.ports.url("api")]
    return subprocess.Popen(
        [*command, "--rate", "20", "--seconds", str(seconds)], env=env, stdout=subprocess.DEVNULL
    )


def test_the_row_is_there_and_the_damage_is_not(stack: StackUnderTest) -> None:
    """A target time between a write and a later deletion; the copy is kept, read, and released."""
    query(
        stack,
        "INSERT INTO entries (id, space_id, external_user_id, referral_code, ordinal, rank)"
        " SELECT 'wle_witness', id, 'witness', 'witness', 0, 0 FROM spaces ORDER BY created_at LIMIT 1",
    )
    time.sleep(1)
    moment = datetime.now(UTC)
    time.sleep(0.5)
    query(stack, "DELETE FROM entries WHERE id = 'wle_witness'")
    archive_up_to_now(stack)
    code, answer = drill(stack, "--target", moment.isoformat(), "--keep-minutes", "10")
    assert (code, answer["issues"]) == (0, [])
    copy = stack.json("drill", "show", answer["id"])["copy_url"]
    with psycopg.connect(copy) as restored:
        found = restored.execute("SELECT count(*) FROM entries WHERE id = 'wle_witness'").fetchone()
    assert found == (1,)
    stack.firstuser("drill", "release", answer["id"])
    assert_tidy(stack)


def test_a_copy_forgets_whom_production_has_forgotten(stack: StackUnderTest) -> None:
    """A person deleted after the target is back in the copy, and gone before staging serves it. A drill to
    just after the deletion takes no deletion for a loss."""
    user, integration = query(
        stack,
        "SELECT e.user_id, e.integration_id FROM entries e JOIN spaces s ON s.id = e.space_id"
        " JOIN grants g ON g.entry_id = e.id AND g.revoked_at IS NULL WHERE s.slug = %s LIMIT 1",
        stack.settings().platform.homepage_space_slug,
    )[0]
    query(
        stack, "UPDATE presence SET last_seen = now(), status = 'live' WHERE integration_id = %s", integration
    )
    archive_up_to_now(stack)
    moment = query(stack, "SELECT clock_timestamp()")[0][0]
    time.sleep(0.5)
    with signed_in(stack) as founder:
        for _ in range(2):
            assert founder.delete(f"/api/founder/v1/users/{user}").status_code == 204
    archive_up_to_now(stack)
    code, answer = drill(stack, "--target", moment.isoformat(), "--keep-minutes", "10")
    assert (code, answer["issues"]) == (0, [])
    (replayed,) = [check for check in answer["checks"] if check["name"] == "tombstones"]
    assert "1 people were back, 0 are left" in replayed["observed"]
    copy = stack.json("drill", "show", answer["id"])["copy_url"]
    with psycopg.connect(copy) as restored:
        left = restored.execute("SELECT count(*) FROM entries WHERE user_id = %s", [user]).fetchone()
        stones = restored.execute("SELECT count(*) FROM tombstones WHERE user_id = %s", [user]).fetchone()
    assert (left, stones) == ((0,), (1,))
    stack.firstuser("drill", "release", answer["id"])
    code, answer = drill(stack)
    assert (code, answer["issues"]) == (0, [])
    assert_tidy(stack)


def test_a_target_that_cannot_be_reached_is_an_error_with_a_way_out(stack: StackUnderTest) -> None:
    code, answer = drill(stack, "--target", "2020-01-01T00:00:00Z")
    assert (code, answer["status"]) == (1, "error")
    assert "before the first restore point" in answer["issues"][0]
    assert answer["next_step"]
    assert_tidy(stack)


def test_an_unknown_check_is_refused_before_anything_starts(stack: StackUnderTest) -> None:
    done = stack.firstuser("drill", "--checks", "login,telepathy", check=False)
    assert done.returncode == 3
    assert "telepathy" in done.stderr
    code, answer = drill(stack, "--checks", "login,telepathy")
    assert (code, answer["status"], answer["checks"]) == (1, "error", [])
    assert "telepathy" in answer["issues"][0]
    assert "login" in answer["next_step"]


def wait_for_verdict(founder: httpx.Client, run: str) -> dict[str, Any]:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        answer = founder.get(f"/api/founder/v1/ops/drills/{run}")
        if answer.status_code == 200 and answer.json()["status"] != "running":
            return answer.json()
        time.sleep(0.5)
    pytest.fail(f"flow run {run} had no verdict")


def test_two_drills_at_once_wait_for_one_another(stack: StackUnderTest) -> None:
    """A founder's through the API passes; one by command, of targets that nobody meets, fails with them."""
    archive_up_to_now(stack)
    base = stack.ports.url("api")
    refused = httpx.post(
        f"{base}/api/founder/v1/ops/drills", json={}, headers={"Origin": base}, trust_env=False
    )
    assert refused.status_code == 401
    missing = ("--rto-target", "0.1", "--rpo-target", "0.01", "--checks", "canary")
    answers: list[tuple[int, dict[str, Any]]] = []
    by_command = threading.Thread(target=lambda: answers.append(drill(stack, *missing)))
    with signed_in(stack) as founder:
        by_command.start()
        started = founder.post("/api/founder/v1/ops/drills", json={"checks": ["canary", "login"]})
        assert started.status_code == 202
        passed = wait_for_verdict(founder, started.json()["id"])
    by_command.join(timeout=240)
    assert (passed["status"], passed["issues"]) == ("passed", [])
    ((code, failed),) = answers
    assert (code, failed["status"]) == (1, "failed")
    assert [issue.split()[0] for issue in failed["issues"]] == ["RTO", "RPO"]
    assert PRODUCT.isdisjoint(check["name"] for check in failed["checks"])
    rows = query(
        stack,
        "SELECT started_at, finished_at FROM ops.drills WHERE id = ANY(%s) ORDER BY started_at",
        [passed["id"], failed["id"]],
    )
    assert rows[0][1] <= rows[1][0]
    assert_tidy(stack)


def test_killed_in_the_middle_the_next_run_cleans_up(stack: StackUnderTest) -> None:
    """SIGKILL of the process that drills, with no chance to say a word; the next one dies later, in turn. The
    last one, with its login and its key, writes nothing into the product it came from."""
    archive_up_to_now(stack)
    before = [row[0] for row in query(stack, "SELECT id FROM ops.drills")]
    for phase in ("replay", "point"):
        kill_in(stack, phase)
    written = rows_written(stack)
    code, answer = drill(stack)
    assert (code, answer["issues"]) == (0, [])
    assert rows_written(stack) == written
    assert_tidy(stack)
    ended = query(
        stack,
        "SELECT status, issues->>0 FROM ops.drills WHERE NOT id = ANY(%s) ORDER BY started_at",
        [*before, answer["id"]],
    )
    assert [status for status, _ in ended] == ["error", "error"]
    assert ["interrupted in phase" in said for _, said in ended] == [True, True]


def kill_in(stack: StackUnderTest, phase: str) -> None:
    """What a drill before it left is cleaned up when it comes so far."""
    known = [row[0] for row in query(stack, "SELECT id FROM ops.drills")]
    started = threading.Thread(target=lambda: drill(stack, "--timeout", "120"))
    started.start()
    wait_for_phase(stack, known, phase)
    assert query(stack, "SELECT id FROM ops.drills WHERE status = 'running' AND id = ANY(%s)", known) == []
    for process in processes_of_flow_runs(stack):
        with suppress(psutil.NoSuchProcess):  # what it had started may end by itself
            process.kill()
    started.join(timeout=150)


def rows_written(stack: StackUnderTest) -> list[tuple[Any, ...]]:
    """By production's own counters. Not the drill's is what production writes about itself, at times or on a
    busy machine; that somebody falls silent; that a delivery is tried again."""
    query(stack, "SELECT pg_stat_force_next_flush()")
    time.sleep(1.5)  # other sessions hand in their counts once a second
    return query(
        stack,
        "SELECT relname, n_tup_ins, n_tup_del,"
        " CASE WHEN relname IN ('presence', 'webhook_deliveries') THEN 0 ELSE n_tup_upd END"
        " FROM pg_stat_user_tables"
        " WHERE schemaname = 'public' AND relname NOT IN ('tombstones', 'api_instances', 'webhook_totals')"
        " AND relname !~ '(_minutes$|^alert|^heartbeat|^incident|^exchange_|^readiness|^watcher)'"
        " ORDER BY relname",
    )


def wait_for_phase(stack: StackUnderTest, before: list[str], phase: str) -> None:
    deadline = time.monotonic() + 180  # a busy machine is slow and not wrong
    while time.monotonic() < deadline:
        rows = query(stack, "SELECT phase FROM ops.drills WHERE NOT id = ANY(%s)", before)
        if rows and rows[0][0] == phase:
            return
        time.sleep(0.02)
    pytest.fail(f"no drill came to phase {phase}")


def test_one_flipped_byte_in_the_backup_never_gives_a_green_drill(stack: StackUnderTest) -> None:
    taken = database(stack).take_backup("full")
    archive_up_to_now(stack)
    (path,) = query(stack, "SELECT pg_relation_filepath('entries')")[0]
    folders = Path(stack.state.root / "pg" / "store" / "backups").resolve()
    (victim,) = [found for found in folders.rglob(Path(path).name) if taken.id in str(found)]
    whole = victim.read_bytes()
    victim.write_bytes(flipped(whole, len(whole) // 2))
    try:
        code, answer = drill(stack)
    finally:
        victim.write_bytes(whole)
    assert code == 1
    assert answer["status"] == "failed"
    assert red(answer)
    assert_tidy(stack)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
