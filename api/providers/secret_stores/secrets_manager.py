"""AWS Secrets Manager: its staging labels are our stages, and a version's id holds its number.

AWSPENDING and AWSPREVIOUS are never taken away, only moved onto the current version, where they mean nothing:
an ECS task definition that injects `…:AWSPREVIOUS:` starts no task while the label is on no version.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from api.core.errors import Conflict, NotFound
from api.core.rotation.stores import Stage, StoredVersion
from api.providers.secret_stores import ring
from api.providers.secret_stores.aws_errors import answers, code_of
from api.providers.secret_stores.ring import Held, State

LABELS: Mapping[Stage, str] = {
    Stage.CURRENT: "AWSCURRENT",
    Stage.PREVIOUS: "AWSPREVIOUS",
    Stage.PENDING: "AWSPENDING",
}
_TOKEN = "firstuser-version-{:014d}"  # noqa: S105 - AWS wants 32 characters or more
_BEFORE = _TOKEN.partition("{")[0]


class SecretsManagerStore:
    """`client` of boto3; `prefix` comes before every name."""

    def __init__(self, client: Any, prefix: str, kms_key: str = "", name: str = "aws") -> None:
        self.name = name
        self._client = client
        self._prefix = prefix
        self._kms = {"KmsKeyId": kms_key} if kms_key else {}

    def describe(self, name: str) -> Sequence[StoredVersion]:
        found = self._versions(name)
        return [StoredVersion(one.version, stage, one.since) for stage, (one, _) in found.items()]

    def read(self, name: str, stage: Stage) -> str:
        if stage not in self._versions(name):
            raise NotFound(f"{self.name} has no {stage} version of {name}.")
        return self._value(name, stage)

    def put_pending(self, name: str, version: int, value: str) -> None:
        """AWS has no secret without a current version: the first one is current at once."""
        versions = self._versions(name)
        known = {
            stage: Held(one.version, None, self._value(name, stage)) for stage, (one, _) in versions.items()
        }
        wanted = ring.with_pending(known, name, version, value, None)
        if wanted is known:
            return
        token = _TOKEN.format(version)
        if not versions:
            self._create(name, token, value)
            return
        self._put(name, token, value)
        if self._at(name, Stage.PENDING) != token:  # AWS knew the version from earlier, and left it as it was
            self._move(name, Stage.PENDING, token)

    def promote(self, name: str, version: int) -> None:
        versions = self._versions(name)
        known: State = {stage: one for stage, (one, _) in versions.items()}
        ring.steps_to_promote(known, name, version, None)
        current = versions.get(Stage.CURRENT)
        if current is None or current[0].version != version:
            token = next(token for one, token in versions.values() if one.version == version)
            self._move(name, Stage.CURRENT, token)

    def retire(self, name: str, version: int) -> None:
        versions = self._versions(name)
        ring.without({stage: one for stage, (one, _) in versions.items()}, name, version)
        for token in [token for one, token in versions.values() if one.version == version]:
            for stage in (Stage.PENDING, Stage.PREVIOUS):
                if self._at(name, stage) == token:
                    self._move(name, stage, versions[Stage.CURRENT][1])

    def _versions(self, name: str) -> dict[Stage, tuple[Held, str]]:
        """With their ids, and without values. Of several labels on a version the first of `LABELS` counts."""
        staged: list[tuple[Stage, str, datetime | None]] = []
        for one in self._list(name):
            labels: Sequence[str] = one.get("VersionStages", [])
            stage = next((stage for stage, label in LABELS.items() if label in labels), None)
            if stage is not None:
                staged.append((stage, str(one["VersionId"]), _moment(one)))
        staged.sort(key=lambda one: (one[2].timestamp() if one[2] else 0, _number(one[1]) is not None))
        current = next((at for at, one in enumerate(staged) if one[0] is Stage.CURRENT), 0)
        known = ring.numbers([_number(token) for _, token, _ in staged], current)
        return {
            stage: (Held(number, since, ""), token)
            for number, (stage, token, since) in zip(known, staged, strict=True)
        }

    def _list(self, name: str) -> list[dict[str, Any]]:
        with answers(self.name, "list versions", "secretsmanager:ListSecretVersionIds"):
            try:
                return self._pages(SecretId=self._id(name), MaxResults=100)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException":
                    return []
                raise

    def _pages(self, **asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._client.list_secret_version_ids(**asked)
            found += page.get("Versions", [])
            if not page.get("NextToken"):
                return found
            asked["NextToken"] = page["NextToken"]

    def _value(self, name: str, stage: Stage) -> str:
        with answers(self.name, "read", "secretsmanager:GetSecretValue"):
            answer = self._client.get_secret_value(SecretId=self._id(name), VersionStage=LABELS[stage])
        return str(answer.get("SecretString", ""))

    def _create(self, name: str, token: str, value: str) -> None:
        with answers(self.name, "create", "secretsmanager:CreateSecret"):
            self._client.create_secret(
                Name=self._id(name), ClientRequestToken=token, SecretString=value, **self._kms
            )

    def _put(self, name: str, token: str, value: str) -> None:
        with answers(self.name, "put", "secretsmanager:PutSecretValue"):
            try:
                self._client.put_secret_value(
                    SecretId=self._id(name),
                    ClientRequestToken=token,
                    SecretString=value,
                    VersionStages=[LABELS[Stage.PENDING]],
                )
            except ClientError as error:
                if code_of(error) != "ResourceExistsException":
                    raise
                said = f"{self.name} had this version of {name} before, with another value."
                raise Conflict(said, fix="Mint the next version.") from None

    def _move(self, name: str, stage: Stage, token: str) -> None:
        holder = self._at(name, stage)
        if holder == token:
            return
        from_ = {"RemoveFromVersionId": holder} if holder else {}
        with answers(self.name, "move label", "secretsmanager:UpdateSecretVersionStage"):
            self._client.update_secret_version_stage(
                SecretId=self._id(name), VersionStage=LABELS[stage], MoveToVersionId=token, **from_
            )

    def _at(self, name: str, stage: Stage) -> str | None:
        """The version that has the label, wherever it is."""
        found = (one for one in self._list(name) if LABELS[stage] in one.get("VersionStages", []))
        return next((str(one["VersionId"]) for one in found), None)

    def _id(self, name: str) -> str:
        return f"{self._prefix}/{name}"


def _number(token: str) -> int | None:
    """None for an id of others' making."""
    number = token.removeprefix(_BEFORE)
    return int(number) if token.startswith(_BEFORE) and number.isdigit() else None


def _moment(one: Mapping[str, Any]) -> datetime | None:
    created = one.get("CreatedDate")
    return created if isinstance(created, datetime) else None
