"""Every `firstuser …` that a message, a page or a runbook tells people to type is a command as it stands."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from api.core.preflight.catalogue import CHECKS
from deployments import cli

ROOT = Path(__file__).parents[2]
_WRITTEN = re.compile(r"`(firstuser [^`]+)`")
_JOINED = re.compile(r"\"\s*\n\s*f?\"")  # a string of several lines
_SYNTAX = re.compile(r"\[--| \| |^firstuser \{")  # it shows what there is, or is put together elsewhere
_IN_BRACES = re.compile(r"\{[^{}]*\}")


def written() -> Iterator[tuple[str, str]]:
    """(where, command)."""
    for folder in ("api", "flows", "deployments", "docs"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in {".py", ".md", ".html"}:
                text = _JOINED.sub("", file.read_text())
                for found in _WRITTEN.findall(text):
                    if not _SYNTAX.search(found):
                        yield file.relative_to(ROOT).as_posix(), " ".join(found.split())


@pytest.fixture(scope="module")
def command() -> Any:
    cli._register_commands([])  # pyright: ignore[reportPrivateUsage]
    return get_command(cli.app)


def fault(command: Any, text: str, *, whole: bool = False) -> str:
    """Why this cannot be typed; "" when it can. What stands for a value is one word. A command's bare name
    is one to read about, unless it has to be `whole`."""
    words = shlex.split(_IN_BRACES.sub("X", text).replace("…", ""))[1:]
    while words and (known := getattr(command, "commands", None)) is not None:
        if words[0] not in known:
            break
        command, words = known[words[0]], words[1:]
    if getattr(command, "commands", None) is not None and words and not words[0].startswith("-"):
        return f"no command {words[0]!r}"
    if whole and hasattr(command, "commands") and not command.invoke_without_command:
        return "it only has commands of its own"
    return _misfit(command.params, words, whole or bool(words))


def _misfit(params: Sequence[Any], words: Sequence[str], whole: bool) -> str:
    options = {name: one for one in params for name in (*one.opts, *one.secondary_opts)}
    arguments = [one for one in params if one.param_type_name == "argument"]
    named, given, rest = set[str](), 0, list(words)
    while rest:
        word, _, value = rest.pop(0).partition("=")
        if not word.startswith("-"):
            given += 1
            continue
        if word == "--help":
            continue
        if word not in options:
            return f"no option {word}"
        named.add(options[word].name)
        if rest and not value and not options[word].is_flag:
            rest.pop(0)
    least = sum(one.required for one in arguments)
    most = len(arguments) if all(one.nargs == 1 for one in arguments) else len(words)
    if whole and not least <= given <= most:
        return f"{given} arguments instead of {least} to {most}"
    asked = [one for one in params if one.param_type_name == "option" and one.required]
    missing = [one.opts[0] for one in asked if one.name not in named]
    return f"it needs {', '.join(missing)}" if whole and missing else ""


def test_what_is_written_can_be_typed(command: Any) -> None:
    found = list(written())
    assert len(found) > 60
    assert [f"{where}: {text}: {why}" for where, text in found if (why := fault(command, text))] == []


def test_what_a_check_tells_to_do_is_complete(command: Any) -> None:
    """Not only the name of a command."""
    told = [found for check in CHECKS for found in _WRITTEN.findall(check.fix)]
    assert len(told) > 10
    assert [f"{text}: {why}" for text in told if (why := fault(command, text, whole=True))] == []


@pytest.mark.parametrize(
    "text",
    ["firstuser backup", "firstuser backups list", "firstuser owners assign ops", "firstuser preflight --go"],
)
def test_what_cannot_be_typed_is_noticed(command: Any, text: str) -> None:
    assert fault(command, text)
