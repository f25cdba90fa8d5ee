"""The watcher: pages from real processes, outlives its own death, relies on nothing that it watches."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.core.alerts import reports
from api.core.alerts.probing import Place, Watch
from api.core.alerts.reports import Reply, Report, Silenced
from api.core.crypto import Signer
from api.core.errors import FirstUserError, ProviderError
from api.db.engine import make_engine
from api.providers import probe_spool
from api.providers.databases.embedded.cluster import Cluster
from api.providers.secret_stores.local import EnvFile
from api.providers.secret_stores.variables import VariableStore
from api.settings import load
from api.settings.rings import read_rings
from deployments import readyz, watch_file, watcher
from deployments.bench.places import free_port
from deployments.local.environment import setting_names
from deployments.watcher import Watcher
from tests.api.core.alerts.channels import Recorder, gone, unavailable
from tests.product import NOW, new_database, product_settings
from tests.serving import serving

SIGNER = Signer(["a" * 32], reports.PURPOSE)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
GREEN = httpx.Response(200, json={"status": "ok"})
DRAINING: dict[str, Any] = {"checks": {"database": {"status": "ok"}, "draining": {"status": "failing"}}}
NO_DATABASE: dict[str, Any] = {"checks": {"database": {"status": "failing", "detail": "OperationalError"}}}


class World:
    """A watcher with a clock of ours, and an API that answers what it is told to."""

    def __init__(self, folder: Path, **channels: Recorder) -> None:
        self.file = folder / "watcher.json"
        self.now = NOW
        self.answer: httpx.Response | None = GREEN
        self.primary = Recorder()
        self.channels = {"primary": self.primary, **channels}
        self.dead_man: list[str] = []
        self.reports: list[Report] = []
        self.silences: tuple[Silenced, ...] = ()
        self.api_hears = True
        self.start()

    def start(self) -> None:
        """Anew, as after a `kill -9`: only the file is left."""
        self.watcher = Watcher(
            self.file,
            Place("production", 10 * SECOND),
            self.channels,
            "http://api/api/readyz",
            "https://dead.man/s3cret",
            SIGNER,
            clock=lambda: self.now,
            http=httpx.Client(transport=httpx.MockTransport(self._handle)),
        )

    def later(self, seconds: float) -> None:
        end, step = self.now + timedelta(seconds=seconds), timedelta(seconds=max(1.0, seconds / 400))
        while self.now < end:
            self.now += step
            self.watcher.turn()

    def down(self) -> None:
        self.answer = httpx.Response(503, json=NO_DATABASE)

    def up(self) -> None:
        self.answer = GREEN

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "dead.man":
            self.dead_man.append(request.url.path)
            return httpx.Response(200)
        if request.method == "POST" and self.api_hears and self.answer is GREEN:
            told = reports.opened(request.content, request.headers[reports.SIGNATURE], SIGNER, self.now)
            self.reports.append(told)
            known = tuple(outage.id for outage in told.outages)
            return httpx.Response(200, content=reports.answer(Reply(known, self.silences)))
        if request.method == "POST":
            return httpx.Response(503)
        if self.answer is None:
            raise httpx.ConnectError("refused")
        return self.answer


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(watch_file.os, "fsync", lambda _: None)  # its time is the disk's, not ours
    return World(tmp_path)


def test_an_outage_is_paged_once_within_half_a_minute_and_resolved(world: World) -> None:
    world.later(60)
    assert world.primary.got == []
    world.down()
    world.later(30)
    (page,) = world.primary.got
    assert (page.severity, page.title) == ("critical", "Database unavailable")
    assert page.key == "production|database_unavailable||"
    assert page.runbook.endswith("alert-database-unavailable.md")
    world.answer = None  # and then the API falls silent too
    world.later(600)
    world.up()
    world.later(30)
    assert world.primary.kinds == ["firing", "resolved"]
    assert "Over after 11 min" in world.primary.got[1].message and world.primary.got[1].earlier == "r1"


def test_an_api_that_does_not_answer_is_paged_as_such(world: World) -> None:
    world.answer = None
    world.later(30)
    (page,) = world.primary.got
    assert page.key == "production|api_not_ready||" and "ConnectError" in page.message


@pytest.mark.parametrize("blink", [1, 2])
def test_a_blink_pages_nobody(world: World, blink: int) -> None:
    world.later(9)
    world.down()
    world.later(1 + 3 * (blink - 1))
    world.up()
    world.later(120)
    assert world.primary.got == []


def test_a_process_that_goes_away_on_purpose_is_no_outage(world: World) -> None:
    world.answer = httpx.Response(503, json=DRAINING)
    world.later(120)
    assert world.primary.got == []


def test_it_repeats_every_four_hours(world: World) -> None:
    world.down()
    world.later(9 * 3600)
    assert world.primary.kinds == ["firing", "repeat", "repeat"]


def test_a_restart_neither_pages_again_nor_forgets_to_resolve(world: World) -> None:
    world.down()
    world.later(30)
    for _ in range(3):
        world.start()
        world.later(60)
    assert world.primary.kinds == ["firing"]
    world.up()
    world.start()
    world.later(30)
    assert world.primary.kinds == ["firing", "resolved"]


def test_killed_between_sent_and_marked_it_sends_the_same_message_once_more(world: World) -> None:
    world.down()
    before = b""

    def keeping() -> None:
        nonlocal before
        before = world.file.read_bytes()

    send = world.primary.send
    world.primary.send = lambda message: (keeping(), send(message))[1]  # type: ignore[method-assign]
    world.later(30)
    world.file.write_bytes(before)  # as it was while the channel accepted it
    world.start()
    world.later(300)
    assert [message.id for message in world.primary.got] == [world.primary.got[0].id] * 2


def test_what_cannot_be_sent_is_sent_when_it_can(world: World) -> None:
    world.primary.failures = [unavailable() for _ in range(10)]
    world.down()
    world.later(60)
    assert world.primary.got == []
    world.start()
    world.later(3000)
    assert world.primary.kinds == ["firing"]


def test_a_dead_channel_hands_over_at_once(tmp_path: Path) -> None:
    fallback = Recorder(fingerprint="b")
    world = World(tmp_path, fallback=fallback)
    dead: list[ProviderError] = [gone()]
    world.primary.failures = dead
    world.down()
    world.later(30)
    assert fallback.kinds == ["firing"] and world.primary.got == []


def test_the_dead_man_is_told_every_minute_also_during_an_outage(world: World) -> None:
    world.down()
    world.later(300)
    assert 5 <= len(world.dead_man) <= 6
    assert world.watcher.watch.dead_man_ok_at is not None


def test_an_outage_is_on_record_once_the_api_is_back(world: World) -> None:
    world.later(30)
    assert world.reports[-1].dead_man and world.reports[-1].dead_man_ok_at
    world.down()
    world.later(60)
    before = len(world.reports)
    world.up()
    world.api_hears = False
    world.later(60)
    world.start()  # it remembers what it has not got rid of
    world.api_hears = True
    world.later(60)
    told = [outage for report in world.reports[before:] for outage in report.outages]
    assert {(one.rule, one.id) for one in told} == {("database_unavailable", told[0].id)}
    assert timedelta(seconds=60) <= told[0].resolved_at - told[0].opened_at <= timedelta(seconds=90)
    assert told[0].notified_at and "database" in told[0].said
    assert world.reports[-1].outages == ()


def test_a_silence_reaches_it_before_the_outage(world: World) -> None:
    world.silences = (Silenced("", "", "", world.now + HOUR),)
    world.later(30)
    world.down()
    world.start()
    world.later(300)
    assert world.primary.got == []
    world.later(HOUR.total_seconds())
    assert world.primary.kinds == ["firing"]


def test_a_memory_that_cannot_be_read_or_written_stops_nothing(world: World) -> None:
    world.file.write_text("{half")
    world.start()
    world.watcher.file = Path("/proc/nowhere/watcher.json")
    world.down()
    world.later(30)
    assert world.primary.kinds == ["firing"]


def test_neither_postgres_nor_prefect_is_in_its_path() -> None:
    """Nor in that of the part that the supervisor runs."""
    script = (
        "import sys, deployments.watcher, deployments.local.run\n"
        "deployments.watcher.from_environment\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "psycopg", "psycopg_pool", "alembic", "prefect", "fastapi"} & set(
        json.loads(done.stdout.replace("'", '"'))
    )


def test_its_reports_go_on_being_heard_after_the_session_secret_was_rotated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the steps of a rotation, against an API that takes each on at once: the watcher may only be as old
    as what the API still accepts."""
    file, name = tmp_path / "production.env", "SESSION_SECRET"
    old, new = "old session secret of the watcher 1", "new session secret of the watcher 2"
    file.write_text(f"{name}='{old}'\nFIRSTUSER_WATCHER_STATE_FILE='{tmp_path / 'watcher.json'}'\n")
    monkeypatch.setenv("FIRSTUSER_ENV_FILE", str(file))
    for stage in ("", "_PREVIOUS", "_PENDING"):
        monkeypatch.delenv(f"{name}{stage}", raising=False)
    accepting, heard = Signer([old], reports.PURPOSE), list[bool]()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return GREEN
        try:
            reports.opened(request.content, request.headers[reports.SIGNATURE], accepting, NOW)
        except FirstUserError:
            heard.append(False)
            return httpx.Response(401)
        heard.append(True)
        return httpx.Response(200, content=reports.answer(Reply((), ())))

    made = watcher.from_environment()
    made.clock, made.http = lambda: NOW, httpx.Client(transport=httpx.MockTransport(answer))
    stale = replace(made, secrets=None, signer=Signer([old], reports.PURPOSE))
    store = VariableStore(EnvFile(file))
    store.put_pending(name, 2, new)
    for step in (lambda: None, lambda: store.promote(name, 2), lambda: store.retire(name, 1)):
        step()
        accepting.turn(read_rings(file)[name])
        for one in (made, stale):
            one.look_at = NOW
            one.turn()
    assert heard == [True, True, True, True, True, False]


@contextmanager
def watching(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "deployments.watcher"], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(true: Callable[[], bool], seconds: float) -> float:
    """How long it took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, "it did not come true"
        time.sleep(0.1)
    return time.monotonic() - began


def pages(outbox: Path) -> list[str]:
    return [json.loads(path.read_text())["subject"] for path in sorted(outbox.glob("*.json"))]


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """One that may be stopped."""
    with tempfile.TemporaryDirectory(prefix="firstuser-watch-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        found = load()
        stack = found.stack.model_copy(update={"state_dir": folder, "postgres_port": free_port()})
        store = found.store.model_copy(update={"url": ""})
        made = Cluster.from_settings(replace(found, stack=stack, store=store))
        made.initialise(durable=False)
        made.start()
        try:
            yield made
        finally:
            made.stop()


def test_postgres_stops_for_real_and_comes_back(own_cluster: Cluster, tmp_path: Path) -> None:
    product = product_settings(load(), new_database(own_cluster), tmp_path)
    outbox, memory = tmp_path / "outbox", tmp_path / "watcher.json"
    with serving(product) as api:
        environment = {name: value for name, value in os.environ.items() if name not in setting_names()}
        environment |= {
            "PUBLIC_APP_URL": api.url,
            "FIRSTUSER_OUTBOX_DIR": str(outbox),
            "FIRSTUSER_WATCHER_STATE_FILE": str(memory),
            "FIRSTUSER_WATCHER_INTERVAL_SECONDS": "2",
            "SESSION_SECRET": product.platform.session_secret.get_secret_value(),
        }
        with watching(environment) as watcher:
            until(lambda: watch_file.read(memory).good > 0, 20)
            own_cluster.stop()
            until(lambda: pages(outbox) != [], 30)
            assert httpx.get(f"{api.url}/api/readyz").status_code == 503
            assert pages(outbox) == ["🔴 [CRITICAL] Database unavailable"]
            until(lambda: _told(watch_file.read(memory)), 5)
            watcher.send_signal(signal.SIGKILL)
            watcher.wait()
        with watching(environment):
            began: datetime | None = watch_file.read(memory).looked_at
            until(lambda: watch_file.read(memory).looked_at != began, 20)
            time.sleep(3)
            assert len(pages(outbox)) == 1
            own_cluster.start()
            until(lambda: len(pages(outbox)) > 1, 30)
            assert pages(outbox)[1:] == ["🟢 [RESOLVED] Database unavailable"]
            until(lambda: watch_file.read(memory).ended == (), 20)
    with make_engine(product.platform.database_url.get_secret_value()).connect() as back:
        found = back.execute(text("select rule, resolved_at > opened_at, notified_at from alerts")).all()
        sent = back.execute(text("select kind, state, sent_by from alert_messages order by seq")).all()
    assert [row[:2] for row in found] == [("database_unavailable", True)] and found[0][2]
    assert [tuple(row) for row in sent] == [
        ("firing", "sent", "watcher"),
        ("resolved", "sent", "watcher"),
    ]


def _told(watch: Watch) -> bool:
    return watch.episode is not None and watch.episode.notified_at is not None


def test_what_it_saw_is_left_in_a_file_for_the_incident_watch(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "left" / probe_spool.NAME
    world.watcher.probes, world.watcher.readyz_url = spool, "http://127.0.0.1:9/api/readyz"
    world.later(12)
    world.down()
    world.later(12)
    world.answer = None
    world.later(12)
    monkeypatch.setattr(readyz, "has_a_way", lambda _: False)
    world.later(12)
    with spool.open("a") as file:
        file.write('{"at": "torn')
    found = [probe.outcome.value for probe in probe_spool.read(spool, NOW)]
    assert found[0] == "pass" and "unknown" in found[-2:] and found.count("fail") >= 2
    assert [outcome for place, outcome in enumerate(found) if outcome != found[place - 1]][:2] == [
        "pass",
        "fail",
    ]
    assert probe_spool.read(spool, world.now) == []
