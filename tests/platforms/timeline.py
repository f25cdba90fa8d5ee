"""Deploys of a fake platform, one after the other: each look at them brings the newest one step further."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

BEGAN = datetime(2026, 11, 24, 8, tzinfo=UTC)


@dataclass
class Words:
    """How the platform calls what happens."""

    steps: tuple[str, ...]
    live: str
    gone: str
    failed: str
    dropped: str


@dataclass
class Made:
    id: str
    release: str
    variables: Mapping[str, str]
    at: datetime
    status: str
    steps: list[str]
    why: str = ""
    irreversible: bool = False
    fails: bool = False
    of: str = ""
    extra: dict[str, str] = field(default_factory=dict[str, str])


class Timeline:
    """`name` makes an id of a number. Oldest first."""

    def __init__(
        self, words: Words, name: Callable[[int], str], on_live: Callable[[Mapping[str, str], str], None]
    ) -> None:
        self.words = words
        self.made: list[Made] = []
        self._name = name
        self._on_live = on_live

    def add(
        self,
        release: str,
        variables: Mapping[str, str],
        *,
        why: str = "",
        at_once: bool = False,
        fails: bool = False,
        irreversible: bool = False,
    ) -> Made:
        for one in self.made:
            if one.steps:
                one.steps, one.status = [], self.words.dropped
        number = len(self.made)
        steps = [*self.words.steps[1:], self.words.failed if fails else self.words.live]
        made = Made(
            self._name(number),
            release,
            dict(variables),
            BEGAN + timedelta(minutes=number),
            self.words.steps[0],
            steps,
            why,
            irreversible,
        )
        self.made.append(made)
        while at_once and made.steps:
            self.step()
        return made

    def step(self) -> None:
        newest = self.made[-1]
        if not newest.steps:
            return
        newest.status = newest.steps.pop(0)
        if newest.status == self.words.live:
            for one in self.made[:-1]:
                if one.status == self.words.live:
                    one.status = self.words.gone
            self._on_live(newest.variables, newest.release)

    def find(self, deploy_id: str) -> Made | None:
        return next((one for one in self.made if one.id == deploy_id), None)

    @property
    def serving(self) -> Made:
        return next(one for one in reversed(self.made) if one.status == self.words.live)
