"""AWS as its documentation has it and moto does not: scripts of botocore's stubber, call by call."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError, ParamValidationError, ReadTimeoutError
from botocore.stub import Stubber

from api.core.errors import Conflict, Rejected, TimedOut, Unavailable
from api.core.rotation.stores import Stage, StoredVersion
from api.providers.secret_stores.parameter_store import ParameterStore
from api.providers.secret_stores.secrets_manager import SecretsManagerStore

NAME, ID = "SESSION_SECRET", "firstuser/production/SESSION_SECRET"
ONE, TWO, THREE = (f"firstuser-version-{number:014d}" for number in (1, 2, 3))
AT = datetime(2026, 11, 1, tzinfo=UTC)
VALUE = "k9pX2mQv7Lr4Tz8wYb3N"


def client(service: str) -> Any:
    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "x"}
    return boto3.client(service, region_name="eu-central-1", **keys)


@pytest.fixture
def manager() -> Iterator[tuple[SecretsManagerStore, Stubber]]:
    made = client("secretsmanager")
    with Stubber(made) as stub:
        yield SecretsManagerStore(made, "firstuser/production"), stub
        stub.assert_no_pending_responses()


@pytest.fixture
def parameters() -> Iterator[tuple[ParameterStore, Stubber]]:
    made = client("ssm")
    with Stubber(made) as stub:
        yield ParameterStore(made, "firstuser/production"), stub
        stub.assert_no_pending_responses()


Manager = tuple[SecretsManagerStore, Stubber]
Parameters = tuple[ParameterStore, Stubber]


def listed(stub: Stubber, versions: dict[str, list[str]]) -> None:
    found = [
        {"VersionId": one, "VersionStages": stages, "CreatedDate": AT} for one, stages in versions.items()
    ]
    answer = {"Versions": found, "ARN": f"arn:aws:secretsmanager:eu-central-1:1:secret:{ID}", "Name": ID}
    stub.add_response("list_secret_version_ids", answer, {"SecretId": ID, "MaxResults": 100})


def read(stub: Stubber, label: str, value: str) -> None:
    stub.add_response("get_secret_value", {"SecretString": value}, {"SecretId": ID, "VersionStage": label})


def moved(stub: Stubber, label: str, to: str, from_: str) -> None:
    asked = {"SecretId": ID, "VersionStage": label, "MoveToVersionId": to, "RemoveFromVersionId": from_}
    stub.add_response("update_secret_version_stage", {}, asked)


def test_a_version_that_aws_remembers_gets_its_label_back(manager: Manager) -> None:
    """Put, retired, and put again: for AWS the second is the same request, and moves no label."""
    store, stub = manager
    listed(stub, {ONE: ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]})
    read(stub, "AWSCURRENT", "first")
    put = {"SecretId": ID, "ClientRequestToken": TWO, "SecretString": VALUE, "VersionStages": ["AWSPENDING"]}
    stub.add_response("put_secret_value", {"VersionId": TWO}, put)
    for _ in range(2):
        listed(stub, {ONE: ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"]})
    moved(stub, "AWSPENDING", TWO, ONE)
    store.put_pending(NAME, 2, VALUE)


def test_another_value_under_a_token_that_was_used_is_a_conflict(manager: Manager) -> None:
    store, stub = manager
    listed(stub, {ONE: ["AWSCURRENT"]})
    read(stub, "AWSCURRENT", "first")
    stub.add_client_error("put_secret_value", "ResourceExistsException", f"holds {VALUE}", 400)
    with pytest.raises(Conflict) as error:
        store.put_pending(NAME, 2, VALUE)
    assert VALUE not in str(error.value)


def test_current_is_moved_in_one_call_and_previous_follows_by_itself(manager: Manager) -> None:
    store, stub = manager
    versions = {ONE: ["AWSPREVIOUS"], TWO: ["AWSCURRENT"], THREE: ["AWSPENDING"]}
    for _ in range(2):
        listed(stub, versions)
    moved(stub, "AWSCURRENT", THREE, TWO)
    store.promote(NAME, 3)
    listed(stub, {TWO: ["AWSPREVIOUS"], THREE: ["AWSCURRENT", "AWSPENDING"]})
    assert list(store.describe(NAME)) == [
        StoredVersion(2, Stage.PREVIOUS, AT),
        StoredVersion(3, Stage.CURRENT, AT),
    ]


def test_retired_labels_go_to_the_current_version_and_stay_there_to_be_injected(manager: Manager) -> None:
    store, stub = manager
    versions = {ONE: ["AWSPREVIOUS"], TWO: ["AWSCURRENT", "AWSPENDING"]}
    for _ in range(4):
        listed(stub, versions)
    moved(stub, "AWSPREVIOUS", TWO, ONE)
    store.retire(NAME, 1)


def test_versions_of_other_hands_are_counted_from_nought(manager: Manager) -> None:
    store, stub = manager
    foreign = {
        "6b9c71f5-1b2c-4f4f-9c58-0e1d8a0f9a11": ["AWSPREVIOUS"],
        "a0b1c2d3-0000-4000-8000-000000000000": ["AWSCURRENT"],
    }
    listed(stub, foreign)
    assert {one.stage: one.version for one in store.describe(NAME)} == {Stage.PREVIOUS: 0, Stage.CURRENT: 1}


def test_many_pages_of_versions_are_read(manager: Manager) -> None:
    store, stub = manager
    page = {"Versions": [{"VersionId": ONE, "VersionStages": ["AWSPREVIOUS"]}], "NextToken": "more"}
    stub.add_response("list_secret_version_ids", page, {"SecretId": ID, "MaxResults": 100})
    rest = {"Versions": [{"VersionId": TWO, "VersionStages": ["AWSCURRENT"]}]}
    stub.add_response(
        "list_secret_version_ids", rest, {"SecretId": ID, "MaxResults": 100, "NextToken": "more"}
    )
    assert len(store.describe(NAME)) == 2


ERRORS = [
    ("ThrottlingException", 400, Unavailable),
    ("InternalServiceError", 500, TimedOut),
    ("AccessDeniedException", 400, Rejected),
    ("ExpiredTokenException", 400, Rejected),
    ("UnrecognizedClientException", 400, Rejected),
    ("InvalidRequestException", 400, Rejected),
    ("DecryptionFailure", 400, Rejected),
]


@pytest.mark.parametrize(("code", "status", "kind"), ERRORS)
def test_errors_say_whether_to_try_again_and_quote_nothing(
    manager: Manager, code: str, status: int, kind: type[Exception]
) -> None:
    store, stub = manager
    said = f"1 validation error detected: Value '{VALUE}' at 'secretString' failed"
    stub.add_client_error("list_secret_version_ids", code, said, status)
    with pytest.raises(kind) as error:
        store.put_pending(NAME, 2, VALUE)
    assert VALUE not in f"{error.value} {error.value!r}"
    assert error.value.__cause__ is None


def test_no_permission_names_the_one_that_is_needed(manager: Manager) -> None:
    store, stub = manager
    stub.add_client_error("list_secret_version_ids", "AccessDeniedException", "no", 400)
    with pytest.raises(Rejected, match="secretsmanager:ListSecretVersionIds"):
        store.describe(NAME)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ReadTimeoutError(endpoint_url="https://aws"), TimedOut),
        (ConnectTimeoutError(endpoint_url="https://aws"), Unavailable),
        (ParamValidationError(report=f"Invalid length for SecretString, value: {VALUE}"), Rejected),
    ],
)
def test_silence_is_told_from_absence(error: Exception, kind: type[Exception]) -> None:
    class Silent:
        def list_secret_version_ids(self, **_: object) -> None:
            raise error

    with pytest.raises(kind):
        SecretsManagerStore(Silent(), "x").describe(NAME)


def kept(number: int, ours: int | None, labels: list[str], value: str = "v") -> dict[str, Any]:
    described = {} if ours is None else {"Description": f"FirstUser version {ours}"}
    told = {"Labels": labels} if labels else {}
    return {"Version": number, "Value": value, "LastModifiedDate": AT, **told, **described}


def history(stub: Stubber, *versions: dict[str, Any], values: bool = False) -> None:
    asked = {"Name": f"/{ID}", "WithDecryption": values}
    stub.add_response("get_parameter_history", {"Parameters": list(versions)}, asked)


def labelled(stub: Stubber, number: int, stage: str) -> None:
    asked = {"Name": f"/{ID}", "ParameterVersion": number, "Labels": [stage]}
    stub.add_response("label_parameter_version", {"ParameterVersion": number}, asked)


def test_what_was_put_by_hand_is_labelled_before_anything_newer_is_put(parameters: Parameters) -> None:
    """Or a kill between putting and labelling would make the pending version pass for the current one."""
    store, stub = parameters
    history(stub, kept(7, None, [], "by hand"), values=True)
    labelled(stub, 7, "current")
    put = {
        "Name": f"/{ID}",
        "Value": VALUE,
        "Type": "SecureString",
        "Description": "FirstUser version 2",
        "Overwrite": True,
    }
    stub.add_response("put_parameter", {"Version": 8}, put)
    labelled(stub, 8, "pending")
    store.put_pending(NAME, 2, VALUE)


def test_killed_between_putting_and_labelling_it_labels_what_it_put(parameters: Parameters) -> None:
    store, stub = parameters
    halfway = [kept(7, None, ["current"], "by hand"), kept(8, 2, [], VALUE)]
    history(stub, *halfway)
    assert [one.stage for one in store.describe(NAME)] == [Stage.CURRENT]
    history(stub, *halfway, values=True)
    labelled(stub, 8, "pending")
    store.put_pending(NAME, 2, VALUE)


@pytest.mark.parametrize(
    "halfway",
    [
        [kept(1, 1, ["previous"]), kept(2, 2, ["current"])],
        [kept(1, 1, ["previous", "pending"]), kept(2, 2, ["current"])],
        [kept(1, 1, ["pending"]), kept(2, 2, ["current", "previous"])],
        [kept(1, 1, ["pending", "current"]), kept(2, 2, ["previous"])],
        [kept(1, 1, ["current"]), kept(2, 2, ["previous"])],
    ],
)
def test_the_way_back_can_be_gone_on_from_any_step(halfway: list[dict[str, Any]]) -> None:
    fake = Labels(halfway)
    ParameterStore(fake, "firstuser/production").promote(NAME, 1)
    assert fake.labels() == {1: {"current"}, 2: {"previous"}}


class Labels:
    """Parameter Store's labels: one version each; whoever gets one takes it from the other."""

    def __init__(self, versions: list[dict[str, Any]]) -> None:
        self.versions = [{"Labels": [], **one} for one in versions]

    def labels(self) -> dict[int, set[str]]:
        return {one["Version"]: set(one["Labels"]) for one in self.versions}

    def get_paginator(self, _: str) -> "Labels":
        return self

    def paginate(self, **_: object) -> list[dict[str, Any]]:
        return [{"Parameters": [dict(one) for one in self.versions]}]

    def label_parameter_version(self, Name: str, ParameterVersion: int, Labels: list[str]) -> None:
        for one in self.versions:
            kept = [label for label in one["Labels"] if label not in Labels]
            one["Labels"] = [*kept, *Labels] if one["Version"] == ParameterVersion else kept

    def unlabel_parameter_version(self, Name: str, ParameterVersion: int, Labels: list[str]) -> None:
        for one in self.versions:
            if one["Version"] == ParameterVersion:
                one["Labels"] = [label for label in one["Labels"] if label not in Labels]
