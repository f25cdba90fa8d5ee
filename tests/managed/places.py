"""Where the PostgreSQL of a vendor's copy comes from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Thread
from typing import Protocol

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.ports import Handle, RestoreTarget
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.databases.embedded.replay import open_for_writing


class Places(Protocol):
    """`open` returns at once. `port`: None as long as it does not stand; raises what made it fail."""

    def open(self, name: str, at: datetime | None) -> None: ...

    def port(self, name: str) -> int | None: ...

    def close(self, name: str) -> None: ...


@dataclass
class Lent:
    """One server for all: for tests that only care about who exists."""

    at_port: int
    opened: set[str] = field(default_factory=set[str])

    def open(self, name: str, at: datetime | None) -> None:
        self.opened.add(name)

    def port(self, name: str) -> int | None:
        return self.at_port if name in self.opened else None

    def close(self, name: str) -> None:
        self.opened.discard(name)


class Restored:
    """From the real backups of an embedded database, replayed to the moment and opened as vendors do: with
    the logins and passwords of that day. `at` None: newest."""

    def __init__(self, database: Callable[[], EmbeddedDatabase]) -> None:
        self._make = database
        self._ports: dict[str, int | FirstUserError] = {}
        self._threads: dict[str, Thread] = {}

    def open(self, name: str, at: datetime | None) -> None:
        self._threads[name] = Thread(target=self._restore, args=(name, at), daemon=True)
        self._threads[name].start()

    def _restore(self, name: str, at: datetime | None) -> None:
        database = self._make()
        try:
            moment = at or max(point.latest for point in database.restore_points() if point.latest)
            plan = database.locate(RestoreTarget(moment if at else moment - timedelta(milliseconds=1)))
            expires = system_clock() + timedelta(hours=1)
            handle = database.restore(plan, name, expires, lambda _progress: None)
            database.wait(handle, lambda _progress: None)
            open_for_writing(database.dsn(handle, "admin"))
            self._ports[name] = int(handle.details["port"])
        except FirstUserError as error:
            self._ports[name] = error

    def port(self, name: str) -> int | None:
        found = self._ports.get(name)
        if isinstance(found, FirstUserError):
            raise found
        return found

    def close(self, name: str) -> None:
        self._threads.pop(name).join()
        self._ports.pop(name, None)
        now = system_clock()
        self._make().destroy(Handle(name, now, now))
