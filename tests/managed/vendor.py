"""The base of the vendors on loopback."""

import os
import signal
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from threading import RLock
from typing import Any

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.preflight.records import State
from tests.managed.places import Places
from tests.platforms.fake import Asked, FakePlatform, Reply, Trouble

HOST = "127.0.0.1"
TROUBLES = {429, 500, 503}


@dataclass
class Made:
    """A copy at the vendor: `looks` more are needed until it may stand."""

    name: str
    id: str
    at: datetime | None
    created: datetime = field(default_factory=system_clock)
    looks: int = 0
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


class FakeVendor(FakePlatform):
    """`effects` are the changes it made. With `strike` the effect of that number happens, and then the
    process `victim` is killed: it never hears of it."""

    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__()
        self.places = places
        self.passwords = passwords or {}
        self.slowness = 1
        self.broken = False  # copies come to nothing
        self.fail_writes = False  # with 500, and nothing is done
        self.made: dict[str, Made] = {}
        self.effects: list[str] = []
        self.strike: int | None = None
        self.victim: int | None = None
        self.numbers = count(1)
        self.born = datetime(2026, 1, 1, tzinfo=UTC)
        self._one_at_a_time = RLock()

    def handle(self, asked: Asked) -> Reply | None:
        with self._one_at_a_time:
            if self.fail_writes and self.writes(asked):
                return Reply(500, self.said("oops", 500))
            before = len(self.effects)
            reply = super().handle(asked)
            if reply and reply.status in TROUBLES:
                reply = replace(reply, body=self.said("oops", reply.status))
            if self.strike and self.victim and before < self.strike <= len(self.effects):
                os.kill(self.victim, signal.SIGKILL)
                return None
            return reply

    good_policy = State.PASS
    """What preflight says of it at its best."""

    def said(self, message: str, status: int) -> Any:
        """An error's body, in the vendor's form."""
        return {"message": message}

    def writes(self, asked: Asked) -> bool:
        return asked.method != "GET"

    def lose_the_next_write(self) -> None:
        self.troubles += [Trouble(written=True, matches=self.writes)]

    def disown(self) -> None:
        """Every copy becomes somebody else's."""
        for made in self.made.values():
            made.name = made.name[:-6] + "ffffff"

    def left_behind(self) -> list[str]:
        """What goes on costing money though no copy shows it."""
        return []

    def turn_pitr_off(self) -> None:
        raise NotImplementedError

    def make(self, name: str, made_id: str, at: datetime | None) -> Made:
        made = Made(name, made_id, at, looks=self.slowness)
        self.made[made_id] = made
        self.places.open(place_name(name), at)
        self.effects.append(f"create {name}")
        return made

    def port(self, made: Made) -> int | None:
        """None while it is being made. Raises when that failed."""
        if made.looks > 0:
            made.looks -= 1
            return None
        if self.broken or made.facts.get("failed"):
            raise FirstUserError("restore failed")
        return self.places.port(place_name(made.name))

    def drop(self, made: Made) -> None:
        del self.made[made.id]
        self.places.close(place_name(made.name))
        self.effects.append(f"delete {made.name}")

    def uri(self, port: int, role: str, database: str) -> str:
        password = self.passwords.get(role)
        login = f"{role}:{password}" if password else role
        return f"postgresql://{login}@{HOST}:{port}/{database}"


def place_name(name: str) -> str:
    """Another one than the drill's own, so that nothing finds it but by the vendor."""
    return "vendor-" + name.removeprefix("drill-")[:50].lower()


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
