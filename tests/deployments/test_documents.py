"""What the pages for people lead to is there: links and their anchors, files, modules, commands, targets of
make, variables, pictures; and the map of the code is the one that import-linter keeps."""

import re
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from deployments import cli
from deployments.local.environment import setting_names
from tests.deployments import compose
from tests.deployments.test_written_commands import fault

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "deployments/**/*.md", "examples/**/*.md")
    for page in ROOT.glob(pattern)
    if "node_modules" not in page.parts
)
MOST_BYTES = 120_000
SECTIONS = ["Context", "Decision", "Consequences", "What would change our mind", "Where"]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_FILE = re.compile(r"(?<![\w/.{-])(?:api|flows|deployments|docs|tests|examples)/[\w./-]*\w/?(?![\w/*…-])")
_PLACEHOLDER = re.compile(r"NAME|NNNN")
_FENCED = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_VARIABLE = re.compile(r"\b(?:FIRSTUSER|POSTGRES|INTEGRATION)_[A-Z_0-9]*[A-Z0-9]\b(?!…|_)")
_ELSEWHERE = {"FIRSTUSER_ENV_FILE", "FIRSTUSER_AUTODEPLOY_WAS_ON", "POSTGRES_MAJOR"}
"""Names the file of settings; what a platform's service is marked with."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code(text: str) -> Iterator[str]:
    """Each line of the fenced blocks, without its comment, and each span between backticks."""
    for block in _FENCED.findall(text):
        yield from (line.partition("  #")[0].rstrip() for line in block.splitlines())
    yield from _INLINE.findall(_FENCED.sub("", text))


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    heads = re.findall(r"^#+ (.+)$", _FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def dead(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


@pytest.fixture(scope="module")
def command() -> Any:
    cli._register_commands([])  # pyright: ignore[reportPrivateUsage]
    return get_command(cli.app)


def typed(command: Any, line: str) -> Iterator[str]:
    """Each command of a line such as `firstuser alerts test | list [ID] | ack ID --by NAME`, whole."""
    _, found, rest = line.partition("firstuser ")
    if not found or not re.fullmatch(r"(?:[A-Z_]+=\S+ |\$ |\.venv/bin/)*", line.partition("firstuser ")[0]):
        return
    rest = re.split(r" {2,}|\s&&|\s[<>]\s", rest)[0]
    group = rest.split()[0]
    within = getattr(command.commands.get(group), "commands", {})
    for number, part in enumerate(re.sub(r"[\[\]]", "", rest).split(" | ")):
        own = number and (part.split()[0] in within or part.split()[0] not in command.commands)
        yield f"firstuser {f'{group} {part}' if own else part}"


def test_there_are_pages() -> None:
    assert len(PAGES) > 50
    assert {"README.md", "CONTRIBUTING.md", "docs/README.md", "docs/decisions/README.md"} <= {
        *map(name, PAGES)
    }


def test_links_lead_somewhere() -> None:
    links = [(page, link) for page in PAGES for link in _LINK.findall(page.read_text())]
    assert len(links) > 120
    assert [f"{name(page)}: {link}" for page, link in links if dead(page, link)] == []
    assert dead(ROOT / "README.md", "docs/none.md") and dead(ROOT / "README.md", "docs/cli.md#none")


def test_named_files_are_there() -> None:
    named = [(page, one) for page in PAGES for one in _FILE.findall(_LINK.sub("", page.read_text()))]
    assert len(named) > 120
    lost = [
        f"{name(page)}: {one}"
        for page, one in named
        if not _PLACEHOLDER.search(one) and not (ROOT / one).exists() and not (page.parent / one).exists()
    ]
    assert lost == []


def test_what_is_typed_is_there(command: Any) -> None:
    """Commands of ours, targets of make, modules of Python."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong: list[str] = []
    lines = [(page, line) for page in PAGES if name(page) != "docs/cli.md" for line in code(page.read_text())]
    ours = [(page, one) for page, line in lines for one in typed(command, line)]
    made = [(page, one) for page, line in lines for one in re.findall(r"(?:^|; )make ([a-z][a-z-]*)", line)]
    modules = [(page, one) for page, line in lines for one in re.findall(r"python -m ([\w.]+)", line)]
    wrong += [f"{name(page)}: {one}: {why}" for page, one in ours if (why := fault(command, one))]
    wrong += [f"{name(page)}: make {one}" for page, one in made if one not in targets]
    wrong += [f"{name(page)}: python -m {one}" for page, one in modules if not _importable(one)]
    assert wrong == []
    assert (len(ours) > 120, len(made) > 15, len(modules) > 5) == (True, True, True)


def _importable(module: str) -> bool:
    return module in ("partner",) or find_spec(module) is not None  # of examples/, with a path of its own


def test_named_variables_are_settings() -> None:
    known = setting_names() | compose.required() | _ELSEWHERE
    named = [
        (page, one)
        for page in PAGES
        if page.parts[len(ROOT.parts)] != "examples"  # partners have variables of their own
        for one in _VARIABLE.findall(page.read_text())
    ]
    assert len(named) > 100
    assert [f"{name(page)}: {one}" for page, one in named if one.removesuffix("_PREVIOUS") not in known] == []


def test_pictures_are_shown_and_small() -> None:
    shown = {link for link in _LINK.findall((ROOT / "README.md").read_text()) if link.endswith(".png")}
    kept = {name(file): file.stat().st_size for file in (ROOT / "docs" / "pictures").iterdir()}
    assert shown == kept.keys()
    assert len(kept) <= 8
    assert [file for file, size in kept.items() if size > MOST_BYTES] == []


def test_decisions_are_listed_and_whole() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(file for file in folder.iterdir() if file.name != "README.md")
    assert [file.name[:4] for file in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    index = (folder / "README.md").read_text()
    for file in files:
        title, *sections = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        assert sections == SECTIONS, file.name
        number, _, words = title.partition(": ")
        assert f"- [{number}]({file.name}): {words}" in index, file.name


def test_the_map_is_the_one_that_is_kept() -> None:
    said = (ROOT / "CONTRIBUTING.md").read_text()
    contracts = {
        one["type"]: one
        for one in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    }
    assert f"`{' → '.join(contracts['layers']['layers'])}`" in said
    alone = re.search(r"do not import one another\*\* \(([^)]+)\)", said)
    assert alone
    apart = [module.removeprefix("api.core.") for module in contracts["independence"]["modules"]]
    assert sorted(_INLINE.findall(alone[1])) == sorted(apart)
