"""Each vendor of databases has its section; the policy for RDS allows what its adapters ask for, no more."""

import json
import re

import pytest

from api.providers.databases.registry import DATABASES
from tests.api.providers.secret_stores.test_pages import PAGES, ROOT
from tests.deployments.platforms import cloudformation

PAGE = (PAGES / "databases.md").read_text()
ADAPTERS = ROOT / "api" / "providers" / "databases" / "aws"
COMES_ALONG = {
    "AddTagsToResource": "Tags",
    "DeleteDBInstanceAutomatedBackup": "DeleteAutomatedBackups",
    "DeleteDBClusterAutomatedBackup": "DeleteAutomatedBackups",
}
"""What AWS asks for beside the action itself, by the parameter that makes it do so."""
ON_PRODUCTION = {
    "rds:DescribeDBInstances",
    "rds:DescribeDBClusters",
    "rds:RestoreDBInstanceToPointInTime",
    "rds:RestoreDBClusterToPointInTime",
}


def sections() -> dict[str, str]:
    found = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def section(vendor: str) -> str:
    name = f"`FIRSTUSER_DATABASE_PROVIDER={vendor}`"
    return next(text for text in sections().values() if name in text)


@pytest.mark.parametrize("vendor", [name for name in DATABASES if name != "embedded"])
def test_each_vendor_says_what_it_needs_costs_takes_and_cannot_do(vendor: str) -> None:
    text = section(vendor).lower()
    for told in ("the least that is needed", "**cost:**", "**time:**", "not possible"):
        assert told in text, told


def policy() -> list[dict[str, list[str]]]:
    (block,) = re.findall(r"```json\n(.*?)```", section("rds"), re.DOTALL)
    return json.loads(block)["Statement"]


def test_the_policy_is_what_the_adapters_ask_for() -> None:
    code = "".join(file.read_text() for file in ADAPTERS.glob("*.py"))
    calls = set(re.findall(r'"((?:describe|restore|create|delete|modify|add)_db_\w+)"', code))
    asked = {"".join("DB" if w == "db" else w.capitalize() for w in call.split("_")) for call in calls}
    for action, parameter in COMES_ALONG.items():
        assert f'"{parameter}"' in code, f"{action} is needed no more"
    allowed = {action.removeprefix("rds:") for one in policy() for action in one["Action"]}
    assert len(asked) >= 7
    assert asked | COMES_ALONG.keys() == allowed


def test_production_can_only_be_read_and_restored_from() -> None:
    for one in policy():
        reached = [name for name in one["Resource"] if name.endswith((":PRODUCTION", ":db:*", ":cluster:*"))]
        if reached or one["Resource"] == "*":
            assert set(one["Action"]) <= ON_PRODUCTION


def test_the_roles_that_may_be_passed_are_those_of_the_stack() -> None:
    resources = cloudformation("service.yaml")["Resources"]
    roles = {name for name, one in resources.items() if one["Type"] == "AWS::IAM::Role"}
    passed = re.findall(r"role/firstuser-(\w+)-\*", (PAGES / "ecs.md").read_text())
    assert set(passed) == roles


def test_a_policy_that_reaches_production_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    wrong = [*policy(), {"Action": ["rds:DeleteDBInstance"], "Resource": ["arn:aws:rds:REGION:ACCOUNT:db:*"]}]
    monkeypatch.setattr("tests.api.providers.databases.test_pages.policy", lambda: wrong)
    with pytest.raises(AssertionError):
        test_production_can_only_be_read_and_restored_from()
