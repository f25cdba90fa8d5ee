"""The stack on an S3-compatible store: archived, backed up, drilled, and still on it after a restart."""

import pytest

from tests.s3 import s3_server
from tests.stack.conftest import running_stack
from tests.stack.drills import archive_up_to_now, assert_tidy

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("scratch"), pytest.mark.timeout(600)]


def test_a_drill_from_s3_passes_and_the_store_is_remembered() -> None:
    with s3_server() as store:
        assert store.secret_access_key is not None
        given = {
            "FIRSTUSER_STORE_URL": store.url,
            "FIRSTUSER_S3_ENDPOINT_URL": store.s3_endpoint_url or "",
            "AWS_ACCESS_KEY_ID": store.access_key_id or "",
            "AWS_SECRET_ACCESS_KEY": store.secret_access_key.get_secret_value(),
        }
        with running_stack(**given) as stack:
            assert stack.status()["archiver"]["state"] == "healthy"
            archive_up_to_now(stack)
            assert stack.json("drill")["issues"] == []
            assert_tidy(stack)
            points = [point["id"] for point in stack.json("backups")["restore_points"]]
            stack.firstuser("down")
            stack.firstuser("up")
            assert [point["id"] for point in stack.json("backups")["restore_points"]][: len(points)] == points
            assert not list((stack.state.root / "pg" / "store" / "wal").glob("0*"))
