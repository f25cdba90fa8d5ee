"""The stack on an S3-compatible store: archived, backed up, drilled, and still on it after a restart."""

from collections.abc import Iterator

import pytest

from tests.s3 import s3_server
from tests.stack.conftest import StackUnderTest, running_stack
from tests.stack.drills import archive_up_to_now, assert_tidy
from tests.stack.looks import serves

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("scratch"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def on_s3() -> Iterator[StackUnderTest]:
    with s3_server() as store:
        assert store.secret_access_key is not None
        given = {
            "FIRSTUSER_STORE_URL": store.url,
            "FIRSTUSER_S3_ENDPOINT_URL": store.s3_endpoint_url or "",
            "AWS_ACCESS_KEY_ID": store.access_key_id or "",
            "AWS_SECRET_ACCESS_KEY": store.secret_access_key.get_secret_value(),
        }
        with running_stack(**given) as stack:
            yield stack


def test_it_stands_beside_another(on_s3: StackUnderTest, other_stack: StackUnderTest) -> None:
    assert set(numbers(on_s3)).isdisjoint(numbers(other_stack))
    assert serves(on_s3.ports.url("api"))
    assert serves(other_stack.ports.url("api"))


def numbers(stack: StackUnderTest) -> list[int]:
    return [getattr(stack.ports, name) for name in ("postgres", "api", "staging", "prefect")]


def test_a_drill_from_s3_passes_and_the_store_is_remembered(on_s3: StackUnderTest) -> None:
    assert on_s3.status()["archiver"]["state"] == "healthy"
    archive_up_to_now(on_s3)
    assert on_s3.json("drill")["issues"] == []
    assert_tidy(on_s3)
    points = [point["id"] for point in on_s3.json("backups")["restore_points"]]
    on_s3.firstuser("down")
    on_s3.firstuser("up")
    assert [point["id"] for point in on_s3.json("backups")["restore_points"]][: len(points)] == points
    assert not list((on_s3.state.root / "pg" / "store" / "wal").glob("0*"))
