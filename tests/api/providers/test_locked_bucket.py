"""A copy in the bucket is locked, by its name always the same, and verifies by itself."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from pydantic import SecretStr

from api import evidence_copies
from api.core.errors import FirstUserError, NotFound, Refused, Rejected
from api.core.evidence import exports, offline
from api.providers.evidence.bucket import LockedBucket
from api.settings import Settings, load
from tests.api.core.evidence.ledgers import sample

NOW = datetime.now(UTC)
MODES = ("GOVERNANCE", "COMPLIANCE")


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        client.create_bucket(Bucket="open")
        yield client


def settings(url: str = "s3://locked/evidence", mode: str = "COMPLIANCE", days: int = 30) -> Settings:
    loaded = load()
    changes = {"store_url": url, "lock_mode": mode, "lock_days": days}
    credentials = {"access_key_id": "a", "secret_access_key": SecretStr("b"), "s3_endpoint_url": None}
    return replace(
        loaded,
        evidence=loaded.evidence.model_copy(update=changes),
        store=loaded.store.model_copy(update=credentials),
    )


def bucket(**given: Any) -> LockedBucket:
    made = LockedBucket.from_settings(settings(**given))
    assert made is not None
    return made


EXPORT = exports.read(sample().export())[0]


@pytest.mark.parametrize("mode", MODES)
def test_a_copy_is_locked_and_put_once(s3: Any, mode: str) -> None:
    place = bucket(mode=mode)
    kept = evidence_copies.keep(place, EXPORT, NOW)
    again = evidence_copies.keep(place, EXPORT, NOW + timedelta(hours=1))
    assert (kept.fresh, again.fresh) == (True, False)
    assert kept.key == again.key == f"evidence/{evidence_copies.name_of(EXPORT)}"
    found = s3.head_object(Bucket="locked", Key=kept.key)
    assert found["ObjectLockMode"] == mode == kept.mode
    assert abs(found["ObjectLockRetainUntilDate"] - (NOW + timedelta(days=30))) < timedelta(seconds=2)
    versions = s3.list_object_versions(Bucket="locked")["Versions"]
    assert len(versions) == 1
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="locked", Key=kept.key, VersionId=versions[0]["VersionId"])
    (name,) = place.names("")
    assert offline.verify(place.get(name).decode()).whole


def test_one_copy_a_day_is_due(s3: Any) -> None:
    place = bucket()
    day = datetime.fromisoformat(EXPORT.as_of)
    assert evidence_copies.due(place, day)
    evidence_copies.keep(place, EXPORT, NOW)
    assert not evidence_copies.due(place, day)
    assert evidence_copies.due(place, day + timedelta(days=1))


def test_a_bucket_that_locks_nothing_is_refused(s3: Any) -> None:
    with pytest.raises(FirstUserError):
        evidence_copies.keep(bucket(url="s3://open/x"), EXPORT, NOW)


def test_a_copy_whose_lock_was_taken_away_or_ran_out_is_told(s3: Any) -> None:
    place = bucket(mode="GOVERNANCE")
    kept = evidence_copies.keep(place, EXPORT, NOW)
    with pytest.raises(Rejected, match="GOVERNANCE mode instead of COMPLIANCE"):
        evidence_copies.keep(bucket(mode="COMPLIANCE"), EXPORT, NOW)
    with pytest.raises(Rejected, match="until"):
        evidence_copies.keep(place, EXPORT, NOW + timedelta(days=31))
    s3.put_object(Bucket="locked", Key=f"{kept.key}.other", Body=b"x")
    assert len(place.names("")) == 2


def test_what_is_not_there_and_what_is_no_bucket(s3: Any) -> None:
    with pytest.raises(NotFound):
        bucket().get("nothing")
    with pytest.raises(Refused, match="s3://"):
        LockedBucket.from_settings(settings(url="file:///tmp"))
    assert LockedBucket.from_settings(settings(url="")) is None
