"""Bars are for people: on a terminal only, never beside `--json`."""

import io

import pytest
from rich.console import Console

from deployments.progress import showing


@pytest.mark.parametrize(
    ("terminal", "quiet", "seen"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_bar_is_shown_on_a_terminal_and_nowhere_else(terminal: bool, quiet: bool, seen: bool) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=80)
    with showing(console, "drill", quiet=quiet) as step:
        step("replay", 1, 4)
    assert ("replay" in written.getvalue()) is seen
    assert bool(written.getvalue()) is seen
