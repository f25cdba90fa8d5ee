"""The parts of the stack: what there is, what each waits for, how each is stopped.

`up` starts a part as soon as what it `needs` serves; `down` stops level by level, the last first.
"""

from dataclasses import dataclass

from api.settings import Settings


@dataclass(frozen=True, slots=True)
class Part:
    """`stop_seconds`: how long the part may take to stop before it is killed. `level` orders the stop."""

    name: str
    title: str
    level: int
    stop_signal: str = "TERM"
    stop_seconds: int = 10


ARCHIVER = Part("archiver", "WAL archiver", 0, stop_seconds=30)  # the server's last segment needs it
POSTGRES = Part("postgres", "PostgreSQL", 1, stop_signal="INT", stop_seconds=60)
PREFECT_SERVER = Part("prefect-server", "Prefect server", 2, stop_seconds=15)
API_PRODUCTION = Part("api-production", "API (production)", 2)
API_STAGING = Part("api-staging", "API (staging)", 2)
# it would wait for its runs to end; once killed, they are told to end and given the time to clean up
PREFECT_WORKER = Part("prefect-worker", "Prefect worker", 3, stop_seconds=5)
DISPATCHER = Part("dispatcher", "Webhook dispatcher", 3, stop_seconds=20)  # what flies may land
BEACON = Part("beacon", "Beacon", 3)
TRAFFIC = Part("traffic", "Traffic", 3)
HEALTH = Part("health", "Health watcher", 4)
WATCHER = Part("watcher", "Alert watcher", 4)  # stopped first: what `down` stops is no outage

ALL = (
    ARCHIVER,
    POSTGRES,
    PREFECT_SERVER,
    API_PRODUCTION,
    API_STAGING,
    PREFECT_WORKER,
    DISPATCHER,
    BEACON,
    TRAFFIC,
    HEALTH,
    WATCHER,
)


def wanted(settings: Settings) -> tuple[Part, ...]:
    """The parts that these settings ask for: an archiver only for a remote store, traffic only at a rate."""
    unwanted: set[Part] = set()
    if not settings.store.url.startswith("s3://"):
        unwanted.add(ARCHIVER)
    if settings.stack.traffic_rate <= 0:
        unwanted.add(TRAFFIC)
    return tuple(part for part in ALL if part not in unwanted)


def levels(parts: tuple[Part, ...]) -> list[list[Part]]:
    """In the order of stopping: what others rely on comes last."""
    order = sorted({part.level for part in parts}, reverse=True)
    return [[part for part in parts if part.level == level] for level in order]
