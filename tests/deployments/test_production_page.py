"""`docs/production.md`: every file and variable of it exists."""

import re

from deployments.local.environment import setting_names
from deployments.orchestration.deploying import REPOSITORY
from tests.deployments import compose

PAGE = REPOSITORY / "docs" / "production.md"
TEXT = PAGE.read_text()


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
