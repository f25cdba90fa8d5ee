"""Each platform has its page, and the policy for ECS allows all that its adapter asks for, and no more."""

import json
import re

import pytest

from api.providers.hosting import PROVIDERS
from api.providers.hosting.services import SERVICES
from tests.api.providers.secret_stores.test_pages import PAGES, ROOT


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_platform_has_a_page_that_the_overview_links(name: str) -> None:
    overview, _, _ = (PAGES / "README.md").read_text().partition("# Where secrets rest")
    assert f"| `{name}` |" in overview
    if name in SERVICES:
        page = (PAGES / f"{name}.md").read_text()
        for told in ("least that is needed", "What it costs, how long it takes", "What is not possible"):
            assert told in page


def test_the_policy_is_what_the_adapter_needs() -> None:
    adapter = (ROOT / "api" / "providers" / "hosting" / "ecs.py").read_text()
    asked = set(re.findall(r"\b(?:ecs|ssm|iam):[A-Z]\w+", adapter))
    blocks = re.findall(r"```json\n(.*?)```", (PAGES / "ecs.md").read_text(), re.DOTALL)
    policy = json.loads(blocks[-1])
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert asked and asked == allowed
