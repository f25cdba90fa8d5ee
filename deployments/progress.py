"""A bar for what takes longer than a moment: on stderr, on a terminal only, and never beside `--json`."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from api.core.ports import OnProgress, Progress


class Step(Protocol):
    def __call__(self, said: str, done: float | None = None, total: float | None = None) -> None: ...


@contextmanager
def showing(
    console: Console, title: str, *, quiet: bool = False, total: float | None = None, per_second: float = 10
) -> Generator[Step]:
    """Call what it gives with what goes on, and how far that is. Without a total the bar only moves.
    `per_second`: how often it is drawn, seldom where that itself would be measured."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(24), TimeElapsedColumn())
    hidden = quiet or not console.is_terminal
    with Bars(
        *columns, console=console, transient=True, disable=hidden, refresh_per_second=per_second
    ) as bars:
        task = bars.add_task(title, total=total)

        def step(said: str, done: float | None = None, total: float | None = None) -> None:
            bars.update(task, description=said, completed=done, total=total)

        yield step


def reporting(step: Step) -> OnProgress:
    """What a provider tells of a long step, on that bar."""

    def told(progress: Progress) -> None:
        step(progress.phase, progress.done, progress.total or None)

    return told
