"""Calls to RDS, and its words for the states of instances and clusters.

An order that is given twice is answered with `…AlreadyExists`: the identifier is the key to do it once.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from api.core.errors import Unavailable
from api.providers.databases.managed.vendor import State
from api.providers.secret_stores.aws_errors import answers, code_of

READY = {"available", "backing-up", "storage-optimization", "storage-config-upgrade", "upgrading"}
FAILED = {
    "failed",
    "restore-error",
    "incompatible-restore",
    "incompatible-network",
    "incompatible-parameters",
    "incompatible-option-group",
    "incompatible-create",
    "insufficient-capacity",
    "inaccessible-encryption-credentials",
    "cloning-failed",
    "storage-full",
}
_EXISTS = {"DBInstanceAlreadyExists", "DBClusterAlreadyExistsFault"}
_GONE = {"DBInstanceNotFound", "DBClusterNotFoundFault"}
_NOT_NOW = {"InvalidDBInstanceState", "InvalidDBClusterStateFault"}


def state(status: str) -> State:
    if status == "deleting":
        return State.LEAVING
    if status in FAILED:
        return State.FAILED
    return State.READY if status in READY else State.CREATING


class Calls:
    """`client` of boto3. Every method raises `ProviderError`."""

    def __init__(self, provider: str, client: Any) -> None:
        self.provider = provider
        self._client = client

    def every(self, operation: str, items: str, **asked: Any) -> Iterator[dict[str, Any]]:
        """Of all pages."""
        with answers(self.provider, operation, f"rds:{_action(operation)}"):
            for page in self._client.get_paginator(operation).paginate(**asked):
                yield from page[items]

    def one(self, operation: str, items: str, **asked: Any) -> dict[str, Any]:
        """What is asked for by name. Raises `Rejected` when it does not exist."""
        with answers(self.provider, operation, f"rds:{_action(operation)}"):
            return getattr(self._client, operation)(**asked)[items][0]

    def order(self, operation: str, asked: Mapping[str, Any]) -> None:
        """Make it, unless it is there. Raises `Unavailable` when what it belongs to is not ready yet."""
        self._carry_out(operation, asked, fine=_EXISTS)

    def delete(self, operation: str, asked: Mapping[str, Any]) -> None:
        """Idempotent. Raises `Unavailable` for what cannot be deleted yet."""
        self._carry_out(operation, asked, fine=_GONE)

    def _carry_out(self, operation: str, asked: Mapping[str, Any], fine: set[str]) -> None:
        with answers(self.provider, operation, f"rds:{_action(operation)}"):
            try:
                getattr(self._client, operation)(**asked)
            except ClientError as error:
                if code_of(error) in fine:
                    return
                if code_of(error) not in _NOT_NOW:
                    raise
                raise Unavailable(
                    f"{self.provider} cannot do that in the state that it is in.",
                    provider=self.provider,
                    operation=operation,
                ) from None


def _action(operation: str) -> str:
    """`delete_db_instance` → `DeleteDBInstance`, as IAM writes it."""
    return "".join("DB" if word == "db" else word.capitalize() for word in operation.split("_"))
