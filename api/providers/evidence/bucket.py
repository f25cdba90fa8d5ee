"""A bucket with S3 Object Lock: what is put there cannot be changed or deleted before its time, by anybody in
COMPLIANCE mode, by those with a permission of its own in GOVERNANCE mode.

Permissions: s3:PutObject, s3:PutObjectRetention, s3:GetObject, s3:GetObjectRetention, s3:ListBucket.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from api.core.errors import NotFound, Refused, Rejected
from api.providers.stores.s3_client import s3_client
from api.providers.stores.s3_errors import answers
from api.settings import Settings

_PROVIDER = "s3"
_FIX = "Create the bucket with object lock enabled, and let this role put objects and their retention."


@dataclass(frozen=True, slots=True)
class Kept:
    """`fresh`: put now. Otherwise it was there already, under the same lock or a longer one."""

    key: str
    mode: str
    until: datetime
    fresh: bool


class LockedBucket:
    def __init__(self, client: Any, bucket: str, prefix: str, mode: str, length: timedelta) -> None:
        self._client, self._bucket, self._prefix = client, bucket, f"{prefix}/" if prefix else ""
        self._mode, self._length = mode, length

    @classmethod
    def from_settings(cls, settings: Settings) -> "LockedBucket | None":
        """None where no bucket is set. Raises `Refused` for an address that is none."""
        evidence, store = settings.evidence, settings.store
        if not evidence.store_url:
            return None
        parts = urlsplit(evidence.store_url)
        if parts.scheme != "s3" or not parts.netloc:
            raise Refused(
                "FIRSTUSER_EVIDENCE_STORE_URL names no bucket.", fix="Write it as s3://bucket/prefix."
            )
        length = timedelta(days=evidence.lock_days)
        return cls(s3_client(store), parts.netloc, parts.path.strip("/"), evidence.lock_mode, length)

    def keep(self, name: str, data: bytes, now: datetime) -> Kept:
        """Put `data` under `name` and look that it is locked as asked. A name that is there already with the
        same content is left alone. Raises `Rejected` when the bucket does not lock."""
        key = self._prefix + name
        digest = hashlib.sha256(data).hexdigest()
        fresh = self._digest(key) != digest
        if fresh:
            with answers("put", key):
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=key,
                    Body=data,
                    Metadata={"sha256": digest},
                    ChecksumAlgorithm="SHA256",
                    ObjectLockMode=self._mode,
                    ObjectLockRetainUntilDate=now + self._length,
                )
        return self._locked(key, now, fresh)

    def names(self, prefix: str) -> Sequence[str]:
        """In order."""
        with answers("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            found = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return sorted(key.removeprefix(self._prefix) for key in found)

    def get(self, name: str) -> bytes:
        """Raises `NotFound`."""
        with answers("get", name):
            body = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
            data: bytes = body.read()
        return data

    def _digest(self, key: str) -> str:
        try:
            with answers("get", key):
                found = self._client.head_object(Bucket=self._bucket, Key=key)
        except NotFound:
            return ""
        return str(found.get("Metadata", {}).get("sha256", ""))

    def _locked(self, key: str, now: datetime, fresh: bool) -> Kept:
        """What the bucket itself says of the lock."""
        with answers("get the retention of", key):
            found = self._client.head_object(Bucket=self._bucket, Key=key)
        mode, until = found.get("ObjectLockMode"), found.get("ObjectLockRetainUntilDate")
        if mode is None or until is None:
            raise self._unlocked(f"{key} is not locked.")
        if mode != self._mode and mode != "COMPLIANCE":
            raise self._unlocked(f"{key} is locked in {mode} mode instead of {self._mode}.")
        if until <= now or (fresh and until < now + self._length - timedelta(minutes=1)):
            raise self._unlocked(f"{key} is locked until {until:%Y-%m-%d %H:%M} only.")
        return Kept(key, str(mode), until, fresh)

    def _unlocked(self, said: str) -> Rejected:
        return Rejected(said, provider=_PROVIDER, operation="lock", fix=_FIX)
