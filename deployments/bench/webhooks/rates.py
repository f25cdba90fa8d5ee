"""Deliveries a second, claimed, signed, posted and settled: against the bare client and against other queues;
with 40% of the backlog going nowhere; and how much WAL one takes."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.measures import Measurement
from deployments.bench.places import free_port
from deployments.bench.webhooks import contenders, ground
from deployments.bench.webhooks.bare import Load, Result
from deployments.bench.webhooks.contenders import Peers
from deployments.bench.webhooks.ground import BODY_BYTES
from deployments.bench.webhooks.receiver import Receiver, receiving

ENDPOINTS = 100
WAL_GOAL = 600
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of each in one run: about as long for all of them."""

    ours: int = 40_000
    bare: int = 60_000
    pgqueuer: int = 10_000
    procrastinate: int = 1_000
    prefect: int = 200
    rounds: int = 3


@dataclass(slots=True)
class Field:
    cluster: Cluster
    scratch: Path
    kept: Path
    counts: Counts
    say: Say


def measure(where: Field) -> list[Measurement]:
    peers = Peers(where.cluster, contenders.install(where.kept / "peers"))
    with ExitStack() as running:
        receiver = running.enter_context(receiving())
        urls = [receiver.url(f"/ok/{number}") for number in range(ENDPOINTS)]
        ours = ground.lay(where.cluster, "bench_webhooks", urls)
        prefect = running.enter_context(peers.prefect(where.scratch))
        counts = where.counts
        acts: dict[str, Callable[[], Result]] = {
            "bare": lambda: contenders.bare(Load(urls, counts.bare, BODY_BYTES)),
            "ours": lambda: contenders.pipeline(ours.url, counts.ours),
            "pgqueuer": lambda: peers.run("pgqueuer", Load(urls, counts.pgqueuer, BODY_BYTES)),
            "procrastinate": lambda: peers.run("procrastinate", Load(urls, counts.procrastinate, BODY_BYTES)),
        }
        rates: dict[str, list[float]] = {name: [] for name in acts}
        wal: list[ground.Wal] = []
        for _ in range(counts.rounds):
            for name, act in acts.items():
                if name != "ours":
                    rates[name].append(_rate(where, receiver, name, act))
                    continue
                ours.backlog(counts.ours // ENDPOINTS)
                with ours.wal_of(counts.ours) as written:
                    rates[name].append(_rate(where, receiver, name, act))
                wal.append(written)
        each = prefect.run(Load(urls, counts.prefect, BODY_BYTES))
        rates["prefect"] = [each.delivered / each.seconds]
        where.say(f"prefect: {rates['prefect'][0]:.0f}/s")
    return [
        _against(rates, "bare", "bare client", 0.5),
        _against(rates, "pgqueuer", "pgqueuer", 6),
        _against(rates, "procrastinate", "procrastinate", 30),
        _against(rates, "prefect", "a Prefect task each", 100),
        *_wal(wal),
    ]


def isolation(where: Field) -> list[Measurement]:
    """The same number of deliveries once all to healthy endpoints, and once 40% of them to endpoints that
    hang or are not there: how fast the healthy ones get theirs."""
    with receiving() as receiver:
        healthy = [receiver.url(f"/ok/{number}") for number in range(ENDPOINTS * 6 // 10)]
        hanging = [receiver.url(f"/hang/{number}") for number in range(ENDPOINTS * 2 // 10)]
        dead = [f"http://127.0.0.1:{free_port()}/" for _ in range(ENDPOINTS * 2 // 10)]
        each = where.counts.ours // ENDPOINTS
        grounds = {
            "all healthy": ground.lay(where.cluster, "bench_healthy", healthy),
            "40% not": ground.lay(where.cluster, "bench_sick", [*healthy, *hanging, *dead]),
        }
        rates: dict[str, list[float]] = {name: [] for name in grounds}
        for _ in range(where.counts.rounds):
            for name, made in grounds.items():
                made.backlog(each)
                run = lambda made=made: contenders.pipeline(made.url, each * len(healthy))  # noqa: E731
                rates[name].append(_rate(where, receiver, name, run))
    found = Measurement(
        "healthy deliveries, 40% of the backlog to endpoints that hang or are dead",
        median(rates["40% not"]),
        median(rates["all healthy"]),
        "all healthy",
        0.95,
        "/s",
        at_least=True,
    )
    return [found]


def _rate(where: Field, receiver: Receiver, name: str, act: Callable[[], Result]) -> float:
    """Raises `ValueError` when something else arrived than was said to be delivered."""
    before = receiver.count()
    result = act()
    arrived = receiver.count() - before
    if not result.delivered <= arrived:
        raise ValueError(f"{name}: {arrived} arrived, {result.delivered} are said to be delivered")
    rate = result.delivered / result.seconds
    where.say(f"{name}: {rate:.0f}/s")
    return rate


def _against(rates: dict[str, list[float]], name: str, called: str, goal: float) -> Measurement:
    ours, theirs = median(rates["ours"]), median(rates[name])
    return Measurement("deliveries", ours, theirs, called, goal, "/s", at_least=True)


def _wal(written: list[ground.Wal]) -> list[Measurement]:
    """What an old backlog costs on top, once after each checkpoint, are images of the pages it lies on."""
    records, images = (median(one.records for one in written), median(one.images for one in written))
    return [
        Measurement("WAL per delivery", records, WAL_GOAL, "limit", 1.0, "bytes"),
        Measurement(
            "WAL per delivery with page images, right after a checkpoint",
            records + images,
            WAL_GOAL,
            "limit",
            1.5,
            "bytes",
        ),
    ]
