"""`docs/production.md`: every command, file and variable of it exists."""

import re
from typing import Any

import typer

from deployments import cli
from deployments.local.environment import setting_names
from deployments.orchestration.deploying import REPOSITORY
from tests.deployments import compose

PAGE = REPOSITORY / "docs" / "production.md"
TEXT = PAGE.read_text()


def test_every_command_is_one() -> None:
    cli._register_commands([])
    root: Any = typer.main.get_command(cli.app)
    asked = set(re.findall(r"(?:^|`|' )firstuser ([a-z]+)(?: ([a-z]+))?", TEXT, re.MULTILINE))
    assert len(asked) > 8
    for first, second in asked:
        command = root.commands[first]
        if second and hasattr(command, "commands"):
            assert second in command.commands, f"{first} {second}"


def test_every_file_it_leads_to_is_there() -> None:
    linked = set(re.findall(r"\]\(([^)#:]+)\)", TEXT))
    named = set(re.findall(r"\bdeployments/[\w./-]+\w", TEXT)) - {"deployments/railway/NAME.json"}
    assert [one for one in linked if not (PAGE.parent / one).exists()] == []
    assert [one for one in named if not (REPOSITORY / one).exists()] == []


def test_every_variable_is_one() -> None:
    named = set(re.findall(r"\b(?:FIRSTUSER|POSTGRES|INTEGRATION)_[A-Z_]+\b", TEXT))
    assert named <= setting_names() | compose.required() | {
        "FIRSTUSER_ENV_FILE"
    }  # which names a file of them
