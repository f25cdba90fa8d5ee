"""Each store has its page, and the policy on it allows all that its adapter asks for, and no more."""

import json
import re
from pathlib import Path

import pytest

from api.providers.secret_stores import STORES

ROOT = Path(__file__).parents[4]
PAGES = ROOT / "docs" / "providers"
ADAPTERS = ROOT / "api" / "providers" / "secret_stores"


def actions(page: Path) -> set[str]:
    """Of the first policy on the page."""
    policy = json.loads(re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)[0])
    return {action for statement in policy["Statement"] for action in statement["Action"]}


@pytest.mark.parametrize("name", STORES)
def test_every_store_has_a_page_that_the_overview_links(name: str) -> None:
    assert (PAGES / f"{name}.md").is_file()
    assert f"| `{name}` |" in (PAGES / "README.md").read_text()


@pytest.mark.parametrize(("page", "adapter"), [("aws", "secrets_manager"), ("ssm", "parameter_store")])
def test_the_policy_is_what_the_adapter_needs(page: str, adapter: str) -> None:
    asked = set(re.findall(r'"((?:secretsmanager|ssm):\w+)"', (ADAPTERS / f"{adapter}.py").read_text()))
    assert asked and asked == actions(PAGES / f"{page}.md")


def test_links_lead_somewhere() -> None:
    for page in PAGES.glob("*.md"):
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} → {target}"


def test_json_on_the_pages_can_be_read() -> None:
    for page in PAGES.glob("*.md"):
        for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL):
            json.loads(block)
