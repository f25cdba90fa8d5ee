"""The command line as a whole: in the runbook's order, JSON wherever data is printed, a reference in step."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from deployments import cli
from deployments.cli_reference import PAGE, reference
from deployments.contents import NOT_GOOD, ORDER, PANELS, PREFLIGHTS

ROOT: Any = get_command(cli.everything())
PRINT_NO_DATA = {
    "run": "becomes the part",
    "logs": "prints the log as it is",
    "incidents export": "writes Markdown; `incidents show` has --json",
    "migrate": "its exit code says it",
    "deploy": "hands Prefect its deployments",
}


def commands(group: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, groups that act without a subcommand included."""
    for name, command in group.commands.items():
        words = (*path, name)
        if not hasattr(command, "commands"):
            yield " ".join(words), command
        else:
            if command.invoke_without_command:
                yield " ".join(words), command
            yield from commands(command, words)


ALL = dict(commands())


def test_every_command_has_its_place_and_none_is_promised_that_is_not_there() -> None:
    assert set(ROOT.commands) == set(ORDER)
    assert list(ROOT.list_commands(None)) == ORDER


@pytest.mark.parametrize("name", ALL)
def test_a_command_says_what_it_does_and_speaks_json(name: str) -> None:
    command = ALL[name]
    assert command.help
    options = {option for parameter in command.params for option in parameter.opts}
    silent = name in PRINT_NO_DATA or name.startswith("serve ")  # those become the part
    assert ("--json" in options) != silent, name


def test_every_help_ends_with_exit_codes() -> None:
    assert "1 the drill did not pass" in str(ALL["drill"].epilog)
    assert "3 NO-GO" in str(ALL["preflight"].epilog)
    for name, command in ALL.items():
        assert str(command.epilog).startswith("Exit codes:"), name
    assert {*NOT_GOOD, *PREFLIGHTS} <= set(ALL)


def test_help_reads_like_the_runbook_and_documents_exit_codes() -> None:
    done = firstuser("--help")
    places = [done.stdout.index(panel) for panel in PANELS]
    assert places == sorted(places)
    assert "Exit codes:" in done.stdout


def test_no_command_waits_for_prefect_to_be_imported() -> None:
    """It takes longer than all else together. A run's process has it: there the run is told of."""
    script = "import sys, flows.wiring as w; w.run_log.begin(w.load()); print('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_reference_is_in_step() -> None:
    assert PAGE.read_text() == reference(), "write it anew: python -m deployments.cli_reference"


SHELLS = {
    "bash": lambda line: {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)},
    "zsh": lambda line: {"_TYPER_COMPLETE_ARGS": line},
    "fish": lambda line: {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered", "not_offered"),
    [
        ("firstuser evi", "evidence", "drill"),
        ("firstuser evidence ver", "verify", "export"),
        ("firstuser flags set onb", "onboarding_paused", "integration_enabled"),
        ("firstuser status --js", "--json", "evidence"),
    ],
)
def test_completion_offers_what_fits(shell: str, line: str, offered: str, not_offered: str) -> None:
    done = firstuser(_FIRSTUSER_COMPLETE=f"complete_{shell}", **SHELLS[shell](line))
    assert offered in done.stdout, done.stderr
    assert not_offered not in done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_can_be_installed(shell: str) -> None:
    done = firstuser("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_FIRSTUSER_COMPLETE" in done.stdout, done.stderr


def firstuser(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deployments.cli", *words],
        env={**os.environ, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
