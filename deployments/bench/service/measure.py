"""What is run against what: every round runs all once, in turn; medians of the rounds count.

Costs are CPU time of the server and of the database together, from the operating system, so that what else
the machine does weighs less on them than on rates.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from api.core.access import entry_queries
from api.db.engine import make_engine, session_scope
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.processes import postmaster_pid
from api.settings import Settings
from deployments.bench.measures import Measurement
from deployments.bench.service import ground, load, servers
from deployments.bench.service.ground import Ground
from deployments.bench.service.load import Kind, Load, Result
from deployments.bench.service.pgbench import PgBench
from deployments.bench.service.servers import Server, cpu_seconds

CONNECTIONS = 64
FLAT = 1.3
_PASSES = 20
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Size:
    """`small` and `large`: people, and as many presence rows. `seconds` of each run, `rounds` of them."""

    small: int = 10_000
    large: int = 2_000_000
    codes: int = 60_000
    seconds: int = 2
    warm_up_seconds: int = 1
    rounds: int = 3
    position_reads: int = 60


SMOKE = Size(small=200, large=1_000, codes=20_000, seconds=1, warm_up_seconds=0, rounds=1, position_reads=20)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the load generator: its result, and CPU seconds per request."""

    result: Result
    cost: float


@dataclass(slots=True)
class Runs:
    """Of one kind against one server, one a round."""

    found: list[Run] = field(default_factory=list[Run])

    @property
    def per_second(self) -> float:
        return median(run.result.per_second for run in self.found)

    @property
    def p99(self) -> float:
        return median(run.result.p99 for run in self.found)

    @property
    def cost(self) -> float:
        return median(run.cost for run in self.found)


@dataclass(frozen=True, slots=True)
class Field:
    """Where the runs take place."""

    cluster: Cluster
    size: Size
    say: Say

    def run(self, kind: Kind, server: Server, made: Ground) -> Run:
        codes = ground.renew(self.cluster, made) if kind == "exchange" else ""
        asked = Load(kind, server.port, self.size.seconds, CONNECTIONS, made.api_keys, made.people, codes)
        if self.size.warm_up_seconds:
            warm_up = self._answered(server, replace(asked, seconds=self.size.warm_up_seconds))
            asked = replace(asked, first=warm_up.next_number)
        used = self._cpu(server)
        result = self._answered(server, asked)
        cost = (self._cpu(server) - used) / result.requests
        self.say(f"{kind}: {server.name} {result.per_second:.0f}/s, {cost * 1e6:.0f} µs each")
        return Run(result, cost)

    def _answered(self, server: Server, asked: Load) -> Result:
        """Raises `ValueError` when a single request was not answered with what it asked for."""
        result = load.run(asked)
        if result.refused or result.lost or not result.requests:
            raise ValueError(f"{server.name} did not answer all {asked.kind} requests: {result}")
        return result

    def _cpu(self, server: Server) -> float:
        database = postmaster_pid(self.cluster.home.data)
        return server.cpu_seconds() + (cpu_seconds(database) if database else 0.0)


def measure(settings: Settings, scratch: Path, kept: Path, size: Size, say: Say) -> list[Measurement]:
    """All service benches. Everything but what npm installs (into `kept`) lives below `scratch`."""
    cluster = Cluster.from_settings(settings)
    cluster.initialise()
    cluster.start()
    try:
        ground.quiet(cluster)
        return measure_on(cluster, scratch, kept, size, say)
    finally:
        cluster.stop()


def measure_on(cluster: Cluster, scratch: Path, kept: Path, size: Size, say: Say) -> list[Measurement]:
    """The same on a cluster that runs; its two databases stay."""
    installed = servers.install_fastify(kept / "fastify")
    say(f"a database with {size.small} people and {size.codes} codes")
    small = ground.lay(cluster, "bench_small", size.small, size.codes)
    where = Field(cluster, size, say)
    with ExitStack() as running:
        ours = running.enter_context(servers.ours(small, scratch))
        fastify = running.enter_context(servers.fastify(small, cluster, installed, scratch))
        found = _against_others(where, small, PgBench(cluster, small, scratch), ours, fastify)
    say(f"a database with {size.large} people and {size.codes} codes")
    large = ground.lay(cluster, "bench_large", size.large, size.codes)
    return found + _flat(where, small, large, scratch)


def _against_others(
    where: Field, made: Ground, limit: PgBench, ours: Server, fastify: Server
) -> list[Measurement]:
    kinds: Sequence[Kind] = ("healthz", "heartbeat", "users_live", "me", "exchange")
    runs: dict[tuple[str, str], Runs] = {
        (kind, server.name): Runs() for kind in kinds for server in (ours, fastify)
    }
    limits: Mapping[str, list[float]] = {"heartbeat": [], "exchange": []}
    for _ in range(where.size.rounds):
        for kind in kinds:
            if kind == "heartbeat":
                limits[kind].append(limit.heartbeats(where.size.seconds))
            elif kind == "exchange":
                codes = ground.renew(where.cluster, made)
                limits[kind].append(limit.exchanges(where.size.seconds, codes))
            for server in (fastify, ours):
                runs[kind, server.name].found.append(where.run(kind, server, made))
    beats, beats_of_fastify = runs["heartbeat", "ours"], runs["heartbeat", "fastify"]
    return [
        _rate("heartbeat", beats.per_second, median(limits["heartbeat"]), "pgbench, a row each", 1.0),
        _rate("heartbeat", beats.per_second, beats_of_fastify.per_second, "Fastify + pg", 1.7),
        Measurement("heartbeat p99", beats.p99 * 1e3, beats_of_fastify.p99 * 1e3, "Fastify + pg", 1.0, "ms"),
        _cost("heartbeat", beats, beats_of_fastify, 1 / 1.7),
        _rate("exchange", runs["exchange", "ours"].per_second, median(limits["exchange"]), "pgbench", 0.6),
        _versus(runs, "exchange", 1.5),
        _cost("exchange", runs["exchange", "ours"], runs["exchange", "fastify"], 1 / 1.5),
        _versus(runs, "healthz", 0.75),
        _versus(runs, "me", 0.4),
        _versus(runs, "users_live", 0.4),
    ]


def _versus(runs: Mapping[tuple[str, str], Runs], kind: Kind, goal: float) -> Measurement:
    return _rate(kind, runs[kind, "ours"].per_second, runs[kind, "fastify"].per_second, "Fastify + pg", goal)


def _rate(name: str, ours: float, reference: float, of: str, goal: float) -> Measurement:
    return Measurement(name.replace("_", "/"), ours, reference, of, goal, "requests/s", at_least=True)


def _cost(name: str, ours: Runs, reference: Runs, goal: float) -> Measurement:
    """Its goal is that of the rate, for a machine that has nothing else to do."""
    return Measurement(
        f"CPU per {name}", ours.cost * 1e6, reference.cost * 1e6, "Fastify + pg", round(goal, 3), "µs"
    )


def _flat(where: Field, small: Ground, large: Ground, scratch: Path) -> list[Measurement]:
    """The same work on little and on much data. Both servers run, one at a time has something to do."""
    kinds: Sequence[Kind] = ("heartbeat", "exchange")
    runs = {(kind, made.database): Runs() for kind in kinds for made in (small, large)}
    positions: Mapping[str, list[float]] = {small.database: [], large.database: []}
    with ExitStack() as running:
        serving = [(made, running.enter_context(servers.ours(made, scratch))) for made in (small, large)]
        for _ in range(where.size.rounds):
            for made, server in serving:
                for kind in kinds:
                    runs[kind, made.database].found.append(where.run(kind, server, made))
                positions[made.database].append(_position_seconds(made, where.size.position_reads))
    called = f"with {small.people:,} people"
    found = [
        Measurement(
            f"CPU per {kind} with {large.people:,} people",
            runs[kind, large.database].cost * 1e6,
            runs[kind, small.database].cost * 1e6,
            called,
            FLAT,
            "µs",
        )
        for kind in kinds
    ]
    much, little = (median(positions[made.database]) * 1e6 for made in (large, small))
    name = f"position read with {large.people:,} people"
    return [*found, Measurement(name, much, little, called, FLAT, "µs")]


def _position_seconds(made: Ground, reads: int) -> float:
    """Of one read, spread over the whole line. The fastest of many short passes is the work without waits for
    a processor."""
    engine = make_engine(made.url)
    asked = [f"wle_w{1 + number * (made.people - 1) // reads}" for number in range(reads)]
    passes: list[float] = []
    with session_scope(engine) as session:
        for _ in range(_PASSES):
            started = perf_counter()
            for entry_id in asked:
                entry_queries.position(session, entry_id)
            passes.append((perf_counter() - started) / reads)
    engine.dispose()
    return min(passes)


__all__ = ["SMOKE", "Field", "Size", "measure", "measure_on"]
