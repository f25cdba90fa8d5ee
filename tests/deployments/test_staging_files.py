"""Staging on each platform: it mirrors production, starts with what its file gives it, and reaches nobody."""

import re
from typing import Any

import pytest
import yaml

from api.core.preflight.judging import environment
from api.core.preflight.records import State
from api.providers.hosting.pointing import OURS
from api.settings import GROUPS, Settings
from api.settings.rules import problems
from api.settings.twelve import NOT_OF_STAGING, PRODUCTION_ONLY
from tests.deployments.platforms import FOLDER, Part, fly_secrets, parts

PLATFORMS = ("docker", "render", "railway", "fly", "ecs")
PARTS = {(one.platform, one.name): one for one in parts()}
GIVEN = {
    "DATABASE_URL": "postgresql://staging:x@db.internal/firstuser",
    "SESSION_SECRET": "5ession-0f-staging-Qm3vT9xKc7Lw2Rz8Yb4N",
    "INTEGRATION_WIDGET_SIGNING_SECRET": "w1dget-0f-staging-Qm3vT9xKc7Lw2Rz8Yb4N",
    "INTEGRATION_WEBHOOK_SIGNING_SECRET": "webh00k-0f-staging-Qm3vT9xKc7Lw2Rz8Yb4N",
    "FIRSTUSER_DATA_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "PUBLIC_APP_URL": "https://staging.firstuser.com",
    "EMAIL_FROM": "hello@firstuser.com",
    "FOUNDER_PHONES": "+15550100001",
    "HOMEPAGE_OWNER_PHONE": "+15550100001",
    "VITE_HOMEPAGE_SPACE_SLUG": "firstuser",
    "FIRSTUSER_TRUSTED_PROXIES": "10.0.0.0/8",
}
ON_THE_HOST = {"DATABASE_URL": "postgresql://staging:x@/firstuser?host=/var/run/postgresql"}


def names(part: Part) -> set[str]:
    return {*part.environment, *(fly_secrets(part.name) if part.platform == "fly" else ())} - OURS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_it_starts_with_what_its_file_gives_it(platform: str) -> None:
    part = PARTS[platform, "staging"]
    given = GIVEN | (ON_THE_HOST if platform == "docker" else {})
    values = {name: part.environment.get(name) or given[name] for name in names(part) if name != "PORT"}
    assert [problem.name for problem in problems(settings(values))] == []
    without = {name: value for name, value in values.items() if name != "FIRSTUSER_DATA_KEY"}
    assert [problem.name for problem in problems(settings(without))] == ["FIRSTUSER_DATA_KEY"]


def settings(values: dict[str, str]) -> Settings:
    read = {
        key: group.read(None, **{field: values[v] for field, v in group.variables().items() if v in values})
        for key, group in GROUPS.items()
    }
    return Settings(**read)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_it_can_reach_nobody_and_steers_nothing(platform: str) -> None:
    part = PARTS[platform, "staging"]
    assert part.environment["FIRSTUSER_ENV"] == "staging"
    assert names(part) & (PRODUCTION_ONLY | {"FIRSTUSER_PREFECT_AUTH"}) == set()
    assert names(PARTS[platform, "api"]) & PRODUCTION_ONLY, "production does"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_preflight_would_find_that_it_mirrors_production(platform: str) -> None:
    served = environment.Served(release="1.2.0", migration="0012", postgres="18")
    ours, theirs = names(PARTS[platform, "api"]), names(PARTS[platform, "staging"])
    assert environment.staging(served, served, ours, theirs, NOT_OF_STAGING).state is State.PASS
    lacking = theirs - {"FOUNDER_PHONES"}
    found = environment.staging(served, served, ours, lacking, NOT_OF_STAGING)
    assert "staging lacks FOUNDER_PHONES" in found.observed


def test_of_productions_secrets_it_has_the_data_key_alone() -> None:
    """The people who log in to a copy are production's; nothing else is."""
    same = {"FIRSTUSER_DATA_KEY", "EMAIL_FROM", "FOUNDER_PHONES", "HOMEPAGE_OWNER_PHONE"}
    same |= {"VITE_HOMEPAGE_SPACE_SLUG"}
    document = yaml.safe_load((FOLDER / "render" / "render.yaml").read_text())
    (staging,) = [one for one in document["services"] if one["name"] == "firstuser-staging"]
    assert {one["key"] for one in staging["envVars"] if "fromService" in one} == same
    assert {one["fromDatabase"]["name"] for one in staging["envVars"] if "fromDatabase" in one} == {
        "firstuser-staging-db"
    }
    text = (FOLDER / "ecs" / "service.yaml").read_text()
    for resource in ("StagingExecutionRole", "StagingTask"):
        block = text.partition(f"\n  {resource}:")[2].partition("\n\n")[0]
        exported = set(re.findall(r"\$\{SecretsStack\}-(\w+)", block))
        assert {one for one in exported if not one.startswith("Staging")} == {
            "FirstuserDataKey", "EmailFrom", "FounderPhones", "HomepageOwnerPhone", "ViteHomepageSpaceSlug",
        }  # fmt: skip
        assert "firstuser/production" not in block


def test_there_is_one_of_it() -> None:
    """Drills read login codes from the outbox of the process that sent them."""
    document = yaml.safe_load((FOLDER / "render" / "render.yaml").read_text())
    (staging,) = [one for one in document["services"] if one["name"] == "firstuser-staging"]
    assert staging["numInstances"] == 1
    railway: dict[str, Any] = yaml.safe_load((FOLDER / "railway" / "staging.json").read_text())
    assert railway["deploy"]["numReplicas"] == 1
    block = (FOLDER / "ecs" / "service.yaml").read_text().partition("\n  StagingService:")[2]
    assert "DesiredCount: 1\n" in block.partition("\n\n")[0]
    assert "MaximumPercent: 100\n" in block.partition("\n\n")[0]
