"""What the founders' API takes and says of integrations: their keys, secrets, checklist, rotations."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.core.access.rules import ChecklistItem
from api.core.keys.rules import DEFAULT_GRACE, MAX_GRACE
from api.core.keys.service import KeyView
from api.core.rotation.records import RotationView
from api.core.webhooks.secrets import SecretView
from api.http.integration_setup import IntegrationSetup
from api.http.services import Services
from api.http.shapes import Moment

Line = Annotated[str, StringConstraints(max_length=2000)]


class SecretOut(BaseModel):
    """A signing secret of webhooks, without its value. `state`: current, ending (valid until `expires_at`),
    expired, revoked."""

    id: str
    state: str
    created_at: Moment
    last_used_at: Moment | None
    revoked_at: Moment | None
    expires_at: Moment | None


class KeyOut(BaseModel):
    """`state`: current, ending (works until `expires_at`), expired, revoked."""

    id: str
    state: str
    created_at: Moment
    last_used_at: Moment | None
    revoked_at: Moment | None
    expires_at: Moment | None


class ChecklistItemOut(BaseModel):
    key: str
    title: str
    done: bool
    next_step: str

    @classmethod
    def of(cls, item: ChecklistItem) -> "ChecklistItemOut":
        return cls.model_validate(item, from_attributes=True)


class IntegrationOut(BaseModel):
    id: str
    object: Literal["integration"] = "integration"
    name: str
    space_id: str
    return_urls: list[str]
    origins: list[str]
    webhook_url: str | None
    created_at: Moment
    keys: list[KeyOut]
    secrets: list[SecretOut]
    checklist: list[ChecklistItemOut]


class ChangeIn(BaseModel):
    """What is left out stays as it is. An empty `webhook_url` takes the address away."""

    name: Line | None = None
    return_urls: Annotated[list[Line], Field(max_length=100)] | None = None
    origins: Annotated[list[Line], Field(max_length=100)] | None = None
    webhook_url: Line | None = None


class CreateIn(BaseModel):
    name: Line


class CreatedOut(BaseModel):
    """`key` is shown this once."""

    integration: IntegrationOut
    key_id: str
    key: str


class ProofOut(BaseModel):
    """Something that was tried. `required`: the rotation does not go on without it."""

    name: str
    step: str
    ok: bool
    required: bool
    expected: str
    observed: str


class RotationOut(BaseModel):
    """`phase`: the step it is at, `overlap` while old and new work, `done`, `rolled_back`. A `problem` is why
    it does not go on; the old one works until it does."""

    id: str
    object: Literal["rotation"] = "rotation"
    secret: str
    phase: str
    problem: str
    overlap_until: Moment | None
    proofs: list[ProofOut]


class RotateIn(BaseModel):
    """`force` allows a rotation while the key before still works: that one ends when it was said to."""

    grace_seconds: Annotated[int, Field(ge=0, le=int(MAX_GRACE.total_seconds()))] = int(
        DEFAULT_GRACE.total_seconds()
    )
    force: bool = False


class RotatedKeyOut(BaseModel):
    """`key` is shown this once. `keys` are all there are now, newest first. `rotation` says what was tried
    with the new one; null for the first key of all."""

    object: Literal["api_key"] = "api_key"
    id: str
    key: str
    keys: list[KeyOut]
    rotation: RotationOut | None


class RotatedSecretOut(BaseModel):
    """`secret` is shown this once. `secrets` are all there are now, newest first. `rotation` says what was
    tried with the new one; null for the first secret of all."""

    object: Literal["webhook_secret"] = "webhook_secret"
    id: str
    secret: str
    secrets: list[SecretOut]
    rotation: RotationOut | None


def rotation_out(made: RotationView, at: Services) -> RotationOut:
    return RotationOut(
        id=made.id,
        secret=made.name,
        phase=made.phase(at.clock()),
        problem=made.problem,
        overlap_until=made.overlap_until,
        proofs=[ProofOut.model_validate(dict(proof)) for proof in made.proofs],
    )


def key_out(key: KeyView, at: Services) -> KeyOut:
    return KeyOut(
        id=key.id,
        state=key.state(at.clock()),
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
        expires_at=key.expires_at,
    )


def secret_out(secret: SecretView, at: Services) -> SecretOut:
    return SecretOut(
        id=secret.id,
        state=secret.state(at.clock()),
        created_at=secret.created_at,
        last_used_at=secret.last_used_at,
        revoked_at=secret.revoked_at,
        expires_at=secret.expires_at,
    )


def integration_out(setup: IntegrationSetup, at: Services) -> IntegrationOut:
    found = setup.integration
    return IntegrationOut(
        id=found.id,
        name=found.name,
        space_id=found.space_id,
        return_urls=found.return_urls,
        origins=found.origins,
        webhook_url=found.webhook_url,
        created_at=found.created_at,
        keys=[key_out(key, at) for key in setup.keys],
        secrets=[secret_out(secret, at) for secret in setup.secrets],
        checklist=[ChecklistItemOut.of(item) for item in setup.checklist],
    )
