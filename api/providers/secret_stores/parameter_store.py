"""AWS SSM Parameter Store: one SecureString per secret, its versions told apart by labels.

The description of each version holds its number, written in the same call as the value. Whoever reads the
parameter without a label gets the newest version, which may be pending: consumers read `NAME:current`. ECS
cannot do that; its tasks take their secrets from Secrets Manager.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from api.core.errors import NotFound
from api.core.rotation.stores import Stage, StoredVersion
from api.providers.secret_stores import ring
from api.providers.secret_stores.aws_errors import answers, code_of
from api.providers.secret_stores.ring import Held

_DESCRIBED = re.compile(r"FirstUser version (\d+)")


@dataclass(frozen=True, slots=True)
class _Kept:
    """`number` is SSM's own. `ours`: what the description says, None for a version put by hand."""

    number: int
    ours: int | None
    labels: Sequence[str]
    since: datetime | None
    value: str

    def __repr__(self) -> str:
        return f"_Kept({self.number})"


class ParameterStore:
    """`client` of boto3; `prefix` comes before every name."""

    def __init__(self, client: Any, prefix: str, kms_key: str = "") -> None:
        self.name = "ssm"
        self._client = client
        self._prefix = prefix
        self._kms = {"KeyId": kms_key} if kms_key else {}

    def describe(self, name: str) -> Sequence[StoredVersion]:
        found = _staged(self._history(name))
        return [StoredVersion(held.version, stage, held.since) for stage, (held, _) in found.items()]

    def read(self, name: str, stage: Stage) -> str:
        found = _staged(self._history(name, values=True)).get(stage)
        if found is None:
            raise NotFound(f"{self.name} has no {stage} version of {name}.")
        return found[0].value

    def put_pending(self, name: str, version: int, value: str) -> None:
        history = self._history(name, values=True)
        found = _staged(history)
        state = {stage: held for stage, (held, _) in found.items()}
        if ring.with_pending(state, name, version, value, None) is state:
            return
        if (current := found.get(Stage.CURRENT)) and Stage.CURRENT not in current[1].labels:
            self._label(name, current[1].number, Stage.CURRENT)  # or the next version would pass for it
        left = [one for one in history if one.ours == version and one.value == value]
        self._label(name, left[-1].number if left else self._put(name, version, value), Stage.PENDING)

    def promote(self, name: str, version: int) -> None:
        found = _staged(self._history(name))
        ring.steps_to_promote({stage: held for stage, (held, _) in found.items()}, name, version, None)
        current = found.get(Stage.CURRENT)
        kept = next(kept for held, kept in found.values() if held.version == version)
        if current and current[0].version != version:
            if Stage.PENDING not in kept.labels:  # the way back: its label goes to the current one now
                self._label(name, kept.number, Stage.PENDING)
            self._label(name, current[1].number, Stage.PREVIOUS)
        if Stage.CURRENT not in kept.labels:
            self._label(name, kept.number, Stage.CURRENT)
        if Stage.PENDING in self._labels(name, kept.number):
            self._unlabel(name, kept.number, Stage.PENDING)

    def retire(self, name: str, version: int) -> None:
        found = _staged(self._history(name))
        ring.without({stage: held for stage, (held, _) in found.items()}, name, version)
        for stage, (held, kept) in found.items():
            if held.version == version:
                self._unlabel(name, kept.number, stage)

    def _history(self, name: str, values: bool = False) -> list[_Kept]:
        """Oldest first."""
        with answers(self.name, "list versions", "ssm:GetParameterHistory"):
            try:
                pages = self._client.get_paginator("get_parameter_history").paginate(
                    Name=self._id(name), WithDecryption=values
                )
                found = [one for page in pages for one in page.get("Parameters", [])]
            except ClientError as error:
                if code_of(error) == "ParameterNotFound":
                    return []
                raise
        return sorted((_kept(one, values) for one in found), key=lambda one: one.number)

    def _labels(self, name: str, number: int) -> Sequence[str]:
        return next((one.labels for one in self._history(name) if one.number == number), [])

    def _put(self, name: str, version: int, value: str) -> int:
        with answers(self.name, "put", "ssm:PutParameter"):
            answer = self._client.put_parameter(
                Name=self._id(name),
                Value=value,
                Type="SecureString",
                Description=f"FirstUser version {version}",
                Overwrite=True,
                **self._kms,
            )
        return int(answer["Version"])

    def _label(self, name: str, number: int, stage: Stage) -> None:
        with answers(self.name, "label", "ssm:LabelParameterVersion"):
            self._client.label_parameter_version(
                Name=self._id(name), ParameterVersion=number, Labels=[stage.value]
            )

    def _unlabel(self, name: str, number: int, stage: Stage) -> None:
        with answers(self.name, "unlabel", "ssm:UnlabelParameterVersion"):
            self._client.unlabel_parameter_version(
                Name=self._id(name), ParameterVersion=number, Labels=[stage.value]
            )

    def _id(self, name: str) -> str:
        return f"/{self._prefix}/{name}"


def _staged(history: Sequence[_Kept]) -> dict[Stage, tuple[Held, _Kept]]:
    """By label. Without any label, the newest version that somebody put by hand is the current one; ours
    without a label were never finished, or are retired. A label beside `current` says nothing."""
    staged: list[tuple[Stage, _Kept]] = []
    for one in history:
        labels = [stage for stage in Stage if stage in one.labels]
        staged += [(stage, one) for stage in labels if stage is Stage.CURRENT or Stage.CURRENT not in labels]
    by_hand = [one for one in history if one.ours is None]
    if by_hand and not by_hand[-1].labels and not any(stage is Stage.CURRENT for stage, _ in staged):
        staged = sorted([*staged, (Stage.CURRENT, by_hand[-1])], key=lambda one: one[1].number)
    kept = list({one.number: one for _, one in staged}.values())
    current = next((kept.index(one) for stage, one in staged if stage is Stage.CURRENT), 0)
    known = ring.numbers([one.ours for one in kept], current)
    numbers = {one.number: number for one, number in zip(kept, known, strict=True)}
    return {stage: (Held(numbers[one.number], one.since, one.value), one) for stage, one in staged}


def _kept(one: Mapping[str, Any], values: bool) -> _Kept:
    described = _DESCRIBED.fullmatch(str(one.get("Description", "")))
    since = one.get("LastModifiedDate")
    return _Kept(
        int(one["Version"]),
        int(described.group(1)) if described else None,
        list(one.get("Labels", [])),
        since if isinstance(since, datetime) else None,
        str(one.get("Value", "")) if values else "",
    )
