"""Secrets Manager as far as a rotation asks it, and ECS when it injects: versions and the labels on them."""

from dataclasses import dataclass, field
from typing import Any

_BY_HAND = "3f1d9c52-7f0e-4a55-9a6c-0d6f1f2b8e10"
_BEGAN = 1_763_971_200
_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"


class NotThere(Exception):
    """No such secret, or no version with that label."""


@dataclass
class Secret:
    """`values` by the version's id, `labels` by their name: the version that has it."""

    values: dict[str, str] = field(default_factory=dict[str, str])
    labels: dict[str, str] = field(default_factory=dict[str, str])

    def move(self, label: str, to: str) -> None:
        """As AWS does: the version that was current becomes the previous one by itself."""
        before = self.labels.get(label)
        if label == CURRENT and before not in (None, to):
            self.labels[PREVIOUS] = str(before)
        self.labels[label] = to


class FakeSecretsManager:
    def __init__(self) -> None:
        self.secrets: dict[str, Secret] = {}

    def reference(self, name: str, label: str) -> str:
        """As a task definition has it."""
        return f"{_ARN}{name}-AbCdEf::{label}:"

    def injected(self, reference: str) -> str:
        """Raises `NotThere`: the task does not start."""
        name, _, label = reference.removeprefix(_ARN).removesuffix(":").partition("-AbCdEf::")
        return self._value(name, label)

    def by_hand(self, name: str, value: str) -> None:
        """With all three labels, as a person prepares it for the first start."""
        labels = dict.fromkeys((CURRENT, PREVIOUS, PENDING), _BY_HAND)
        self.secrets[name] = Secret({_BY_HAND: value}, labels)

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """Raises `NotThere`."""
        if operation == "CreateSecret":
            token = given["ClientRequestToken"]
            self.secrets[given["Name"]] = Secret({token: given["SecretString"]}, {CURRENT: token})
            return {"ARN": _ARN + given["Name"], "Name": given["Name"], "VersionId": token}
        name = given["SecretId"]
        if name not in self.secrets:
            raise NotThere
        secret, known = self.secrets[name], {"ARN": f"{_ARN}{name}-AbCdEf", "Name": name}
        if operation == "GetSecretValue":
            return {**known, "SecretString": self._value(name, given["VersionStage"])}
        if operation == "ListSecretVersionIds":
            return {**known, "Versions": _versions(secret)}
        if operation == "PutSecretValue":
            token = given["ClientRequestToken"]
            secret.values[token] = given["SecretString"]
            for label in given["VersionStages"]:
                secret.move(label, token)
            return {**known, "VersionId": token, "VersionStages": given["VersionStages"]}
        assert operation == "UpdateSecretVersionStage", operation
        assert given.get("RemoveFromVersionId") == secret.labels.get(given["VersionStage"])
        secret.move(given["VersionStage"], given["MoveToVersionId"])
        return known

    def _value(self, name: str, label: str) -> str:
        secret = self.secrets.get(name)
        if secret is None or label not in secret.labels:
            raise NotThere
        return secret.values[secret.labels[label]]


def _versions(secret: Secret) -> list[dict[str, Any]]:
    return [
        {
            "VersionId": token,
            "VersionStages": [label for label, at in secret.labels.items() if at == token],
            "CreatedDate": _BEGAN + number,
        }
        for number, token in enumerate(secret.values)
    ]
