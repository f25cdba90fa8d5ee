"""Minutes of steady load on two dispatchers, one of which is killed again and again, over endpoints that
fail: nothing is lost, and the memory of the one that lives stays what it is.

Of 20 endpoints 10 are well, 6 refuse one message in ten the first time, 2 hang and 2 are not there; now and
then the partners' machine stops for a while. At the end what waits for a later attempt is made due at once.
"""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import psutil

from api.providers.databases.embedded.cluster import Cluster
from api.settings import Settings
from deployments.bench.measures import Measurement
from deployments.bench.places import free_port
from deployments.bench.service.ground import quiet
from deployments.bench.webhooks import ground
from deployments.bench.webhooks.contenders import ROOT, inherited, product
from deployments.bench.webhooks.ground import Ground
from deployments.bench.webhooks.receiver import Receiver, receiving

PER_SECOND = 200
FLAT = 1.1
_TURN_S = 0.5
_KILL_EVERY_S = (5.0, 25.0)
_STOP_EVERY_S = (40.0, 80.0)
_STOP_S = 3.0
_DRAIN_S = 150
_PUBLISH = """
select count(publish_webhook(integration_id, 'webhook.test', now(), json_build_object('number', n)))
from webhook_endpoints cross join generate_series(1, %s) as n"""
_OPEN = "select count(*) from webhook_deliveries where state = 'open' and endpoint_id = any(%s)"
_DUE_NOW = """
update webhook_deliveries set next_attempt_at = now()
where state = 'open' and next_attempt_at > now() and endpoint_id = any(%s)"""
_REACHED = "select id from webhook_endpoints where url like %s order by id"
Say = Callable[[str], None]


@dataclass(slots=True)
class Course:
    """What has happened so far."""

    messages: int = 0
    kills: int = 0
    stops: int = 0
    memory: list[int] = field(default_factory=list[int])


def measure(settings: Settings, scratch: Path, minutes: float, say: Say) -> list[Measurement]:
    cluster = Cluster.from_settings(settings)
    cluster.initialise()
    cluster.start()
    try:
        quiet(cluster)
        with receiving() as receiver:
            return measure_on(cluster, scratch, receiver, minutes * 60, say)
    finally:
        cluster.stop()


def measure_on(
    cluster: Cluster, scratch: Path, receiver: Receiver, seconds: float, say: Say
) -> list[Measurement]:
    well = [receiver.url(f"/well/{number}") for number in range(10)]
    shaky = [receiver.url(f"/shaky/{number}") for number in range(6)]
    hanging = [receiver.url(f"/hang/{number}") for number in range(2)]
    dead = [f"http://127.0.0.1:{free_port()}/" for _ in range(2)]
    made = ground.lay(cluster, "bench_soak", [*well, *shaky, *hanging, *dead])
    lasting, doomed = _dispatcher(made, scratch), _dispatcher(made, scratch)
    course = Course()
    try:
        doomed = _load(made, scratch, receiver, (lasting, doomed), seconds, course, say)
        _drain(made, receiver, say)
    finally:
        for process in (lasting, doomed):
            process.kill()  # what hangs on purpose is not waited for
            process.wait()
    return _found(receiver, course, course.messages * len(well + shaky), say)


def _load(
    made: Ground,
    scratch: Path,
    receiver: Receiver,
    pair: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]],
    seconds: float,
    course: Course,
    say: Say,
) -> subprocess.Popen[bytes]:
    """Until `seconds` are over; the one of the pair that dies anew is returned as it is then."""
    (lasting, doomed), began = pair, monotonic()
    watched, each = psutil.Process(lasting.pid), round(PER_SECOND * _TURN_S / 20)
    kill_at, stop_at, go_at = _soon(began, _KILL_EVERY_S), _soon(began, _STOP_EVERY_S), float("inf")
    with made.admin() as connection:
        while (now := monotonic()) < began + seconds:
            connection.execute(_PUBLISH, (each,))
            course.messages += each
            course.memory.append(watched.memory_info().rss)
            if now > kill_at:
                doomed.kill()
                doomed.wait()
                doomed, kill_at = _dispatcher(made, scratch), _soon(now, _KILL_EVERY_S)
                course.kills += 1
            if now > stop_at:
                os.kill(receiver.pid, signal.SIGSTOP)
                stop_at, go_at = _soon(now, _STOP_EVERY_S), now + _STOP_S
                course.stops += 1
            if now > go_at:
                os.kill(receiver.pid, signal.SIGCONT)
                go_at = float("inf")
            if len(course.memory) % 60 == 0:
                say(
                    f"{course.messages} messages each, {course.kills} kills, {course.memory[-1] / 1e6:.0f} MB"
                )
            sleep(max(0.0, _TURN_S - (monotonic() - now)))
    os.kill(receiver.pid, signal.SIGCONT)
    return doomed


def _drain(made: Ground, receiver: Receiver, say: Say) -> None:
    """Until those that can be reached have all that was sent to them, or too long."""
    until = monotonic() + _DRAIN_S
    with made.admin() as connection:
        reached = [row[0] for row in connection.execute(_REACHED, (receiver.url("/%"),)).fetchall()]
        hanging = connection.execute(_REACHED, (receiver.url("/hang/%"),)).fetchall()
        reached = [endpoint for endpoint in reached if (endpoint,) not in hanging]
        left = -1
        while left and monotonic() < until:
            connection.execute(_DUE_NOW, (reached,))
            row = connection.execute(_OPEN, (reached,)).fetchone()
            left = row[0] if row else 0
            sleep(1)
    say(f"{left} left")


def _found(receiver: Receiver, course: Course, sent: int, say: Say) -> list[Measurement]:
    arrived, different = receiver.count(), receiver.different()
    quarter = len(course.memory) // 4
    say(f"{sent} sent, {different} of them arrived, {arrived - different} twice; {course.kills} kills")
    early = median(course.memory[quarter : 2 * quarter] or course.memory)
    late = median(course.memory[-quarter:] or course.memory)
    name = f"of {sent:,} with {course.kills} kills, {course.stops} halts of the partners"
    return [
        Measurement(f"lost {name}", sent - different, 1, "limit", 0, "deliveries"),
        Measurement(f"twice {name}", arrived - different, sent, "all", 0.05, "deliveries"),
        Measurement("memory of a dispatcher in the last quarter", late / 1e6, early / 1e6, "2nd", FLAT, "MB"),
    ]


def _soon(now: float, spread: tuple[float, float]) -> float:
    return now + random.uniform(*spread)  # noqa: S311


def _dispatcher(made: Ground, scratch: Path) -> subprocess.Popen[bytes]:
    with (scratch / "dispatcher.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "deployments.dispatcher"],
            cwd=ROOT,
            env={**inherited(), **product(made.url)},
            stdout=log,
            stderr=log,
        )
