"""A restore drill on a vendor's fake, by settings alone: same command, a real restore, staging and all."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from api.providers.databases.embedded.passwords import read_passwords
from api.providers.databases.embedded.roles import ADMIN
from tests.managed.places import Restored
from tests.managed.rows import ROWS, environment
from tests.platforms.fake import broken, on_loopback, too_many
from tests.stack.conftest import StackUnderTest
from tests.stack.drills import archive_up_to_now, assert_tidy, database

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

PARTS = ["locate", "fetch", "replay", "promote", "point", "verify"]
CHECKS = {"login", "founder_tools", "integration_setup", "live_users", "canary", "digest:entries", "teardown"}


@contextmanager
def settings(stack: StackUnderTest, given: Mapping[str, str]) -> Iterator[None]:
    """What the flows of the stack read; everything else runs on as it was."""
    file = stack.state.env_file("production")
    before = file.read_text()
    file.write_text(before + "".join(f"{name}='{value}'\n" for name, value in given.items()))
    try:
        yield
    finally:
        file.write_text(before)


@pytest.mark.parametrize("name", ["neon"])
def test_a_drill_passes_on_the_vendors_copy_and_leaves_nothing(stack: StackUnderTest, name: str) -> None:
    row = ROWS[name]
    known = {ADMIN: read_passwords(stack.state.passwords)[ADMIN]}
    fake = row.fake(Restored(lambda: database(stack)), known)
    archive_up_to_now(stack)
    with on_loopback(fake), settings(stack, environment(name, fake, admin_url(stack), poll_s=0.2)):
        fake.troubles = [too_many(Retry_After="0"), broken(503)]
        answer = stack.json("drill", "--checks", "all", check=False)
    assert (answer["status"], answer["issues"]) == ("passed", [])
    assert [part for part in PARTS if part in answer["rto_parts"]] == PARTS
    assert {check["name"] for check in answer["checks"]} >= CHECKS | {"copy_open", "amcheck", "tombstones"}
    assert [effect.split()[0] for effect in fake.effects] == ["create", "delete"]
    assert fake.made == {}
    assert not list((stack.state.root / "services").glob("*.pgpass"))
    assert_tidy(stack)


def admin_url(stack: StackUnderTest) -> str:
    place = f"127.0.0.1:{stack.ports.postgres}"
    return f"postgresql://{ADMIN}@{place}/firstuser?passfile={stack.state.passwords}"
