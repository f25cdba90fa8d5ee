"""Writes a beacon every few seconds and a fingerprint every minute into production's database, and sees that
what was written leaves for the archive within about a minute.

Part of the running service, not of a drill: a drill only reads what this wrote. A database that is down or
damaged does not end the loop; it is tried again at the next beat.
"""

import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from time import monotonic

import psycopg
from sqlalchemy.exc import SQLAlchemyError
from structlog import get_logger

from api.core.alerts import service as alerts
from api.core.clock import system_clock
from api.core.drills.beacons import write_beacon, write_fingerprint
from api.db.engine import Engine, make_engine, session_scope
from api.following import followed
from api.settings import Settings, load, named_file

NAME = "beacon"
SILENCE = timedelta(minutes=3)
FINGERPRINT_DUTY = 0.05
"""A fingerprint may keep the database busy for this share of the time at most; big tables get fewer."""

log = get_logger("beacon")


class BeaconLoop:
    """`beat` writes what is due; failures are logged and leave the loop alive."""

    def __init__(self, engine: Engine, settings: Settings, keep_pace: Callable[[], bool]) -> None:
        """`keep_pace` sends the newest WAL to the archive when the archive has fallen behind."""
        self._engine = engine
        self._keep_pace = keep_pace
        self._slug = settings.platform.homepage_space_slug
        self._fingerprint_every = settings.drills.fingerprint_interval_seconds
        self._fingerprint_due = 0.0

    def beat(self, now: datetime) -> None:
        self._attempt("beacon", now)
        self._beat(now)
        if monotonic() >= self._fingerprint_due:
            started = monotonic()
            self._attempt("fingerprint", now)
            pause = max(self._fingerprint_every, (monotonic() - started) / FINGERPRINT_DUTY)
            self._fingerprint_due = monotonic() + pause
        self._archive()

    def _beat(self, now: datetime) -> None:
        """So that a beacon that stops is missed."""
        try:
            with session_scope(self._engine) as session:
                alerts.beat(session, NAME, SILENCE, now)
        except SQLAlchemyError as error:
            log.warning("no sign of life", error=type(error).__name__)

    def _archive(self) -> None:
        try:
            if self._keep_pace():
                log.info("segment sent to the archive before its time")
        except psycopg.Error as error:
            log.warning("archive not looked at", error=type(error).__name__)

    def _attempt(self, what: str, now: datetime) -> None:
        try:
            with session_scope(self._engine) as session:
                if what == "beacon":
                    write_beacon(session, self._slug, now)
                else:
                    write_fingerprint(session, now)
        except SQLAlchemyError as error:
            log.warning("not written", what=what, error=type(error).__name__)


def archive_pace(settings: Settings) -> Callable[[], bool]:
    """Of a cluster that `firstuser up` started. A vendor archives by itself, and lets nobody see to it; a
    deployed service has none of PostgreSQL's programs."""
    if not settings.stack.embedded or settings.drills.database_provider != "embedded":
        return lambda: False
    from api.providers.databases.embedded.cluster import Cluster
    from api.providers.databases.embedded.pace import ArchivePace

    return ArchivePace(Cluster.from_settings(settings)).keep


def main() -> None:
    """Beat until SIGTERM."""
    settings = load()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    engine = make_engine(followed(settings, named_file()), pool_size=1, application_name="beacon")
    loop = BeaconLoop(engine, settings, archive_pace(settings))
    log.info("beating", every_seconds=settings.drills.beacon_interval_seconds)
    while not stop.is_set():
        loop.beat(system_clock())
        stop.wait(settings.drills.beacon_interval_seconds)


if __name__ == "__main__":
    main()
