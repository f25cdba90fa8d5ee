"""The founders' API of integrations: set up, addresses, and keys rotated by overlap. Keys are shown once."""

from datetime import timedelta
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, StringConstraints

from api.core import audit
from api.core.access import integrations
from api.core.access import service as access
from api.core.access.integrations import Change
from api.core.access.rules import ChecklistItem
from api.core.errors import Conflict
from api.core.founders.service import FounderView
from api.core.keys import rotation, succession
from api.core.keys import service as keys
from api.core.keys.rules import DEFAULT_GRACE, MAX_GRACE
from api.core.keys.service import KeyView
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.core.webhooks import secrets
from api.core.webhooks import succession as secret_succession
from api.core.webhooks.secrets import SecretView
from api.db.engine import Session
from api.http.deps import At, RecentlyProven, SignedIn
from api.http.idempotency import IDEMPOTENCY_CODES, Answer, FounderOnce
from api.http.integration_setup import IntegrationSetup, load
from api.http.problems import FOUNDER_CODES, documented
from api.http.services import Services
from api.http.shapes import Moment

router = APIRouter(prefix="/api/founder/v1", tags=["founder"], responses=documented(*FOUNDER_CODES))
_WRITING = (*FOUNDER_CODES, "foreign_origin")
_SECRETS = (*_WRITING, "recent_login_required", "idempotency_key_required", *IDEMPOTENCY_CODES)
_REVOKING = (*_WRITING, "recent_login_required", "key_is_current")
_ADDRESSES = ("name_invalid", "return_url_invalid", "origin_invalid", "webhook_url_invalid")
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


@router.post(
    "/spaces/{slug}/integrations",
    status_code=201,
    response_model=CreatedOut,
    responses=documented(*_SECRETS, "name_invalid", "conflict"),
)
def create(at: At, who: RecentlyProven, slug: str, body: CreateIn, once: FounderOnce) -> Response:
    """An integration with its first key."""
    return once.answer(partial(creating, at=at, who=who, slug=slug, name=body.name))


@router.get("/integrations/{integration_id}")
def integration(at: At, who: SignedIn, integration_id: str) -> IntegrationOut:
    with at.transaction() as session:
        return integration_out(load(session, at, who.id, integration_id), at)


@router.patch("/integrations/{integration_id}", responses=documented(*_WRITING, *_ADDRESSES))
def change(at: At, who: SignedIn, integration_id: str, body: ChangeIn) -> IntegrationOut:
    """All of the change or none of it."""
    asked = Change(**body.model_dump())
    with at.transaction() as session:
        found = access.integration(session, who.id, integration_id)
        note(session, at, who, integration_id, integrations.change(session, found, asked))
        return integration_out(load(session, at, who.id, integration_id), at)


@router.post(
    "/integrations/{integration_id}/keys/rotate",
    status_code=201,
    response_model=RotatedKeyOut,
    responses=documented(*_SECRETS, "rotation_in_progress", "rotation_not_proven"),
)
def rotate_key(
    at: At, who: RecentlyProven, integration_id: str, once: FounderOnce, body: RotateIn | None = None
) -> Response:
    """A new key, tried at once; the old one goes on working for `grace_seconds`."""
    asked = body or RotateIn()
    return once.answer_after(partial(rotating_key, at, who, integration_id, asked))


@router.post(
    "/integrations/{integration_id}/keys/{key_id}/revoke",
    responses=documented(*_REVOKING),
)
def revoke_key(at: At, who: RecentlyProven, integration_id: str, key_id: str) -> IntegrationOut:
    """An old key ends now. Idempotent."""
    revoke(at, who, integration_id, key_id)
    with at.transaction() as session:
        return integration_out(load(session, at, who.id, integration_id), at)


@router.post(
    "/integrations/{integration_id}/secrets/rotate",
    status_code=201,
    response_model=RotatedSecretOut,
    responses=documented(*_SECRETS, "rotation_in_progress", "rotation_not_proven"),
)
def rotate_secret(
    at: At, who: RecentlyProven, integration_id: str, once: FounderOnce, body: RotateIn | None = None
) -> Response:
    """A new signing secret, tried at once; for `grace_seconds` webhooks are signed with the old one, too."""
    asked = body or RotateIn()
    return once.answer_after(partial(rotating_secret, at, who, integration_id, asked))


@router.post(
    "/integrations/{integration_id}/secrets/{secret_id}/revoke",
    responses=documented(*_REVOKING),
)
def revoke_secret(at: At, who: RecentlyProven, integration_id: str, secret_id: str) -> IntegrationOut:
    """An old signing secret ends now. Idempotent."""
    revoke_signing(at, who, integration_id, secret_id)
    with at.transaction() as session:
        return integration_out(load(session, at, who.id, integration_id), at)


@router.post(
    "/integrations/{integration_id}/secrets/try",
    responses=documented(*_WRITING, "no_overlap", "tried_just_now"),
)
def try_secret(at: At, who: SignedIn, integration_id: str) -> RotationOut:
    """While an old signing secret still works: a test webhook signed with nothing but the new one. The proof
    `the partner has switched` says whether its receiver took it."""
    return rotation_out(trying_secret(at, who, integration_id), at)


def trying_secret(at: Services, who: FounderView, integration_id: str) -> RotationView:
    """Raises as `Rotations.try_switch`."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
    return at.rotations.try_switch(f"webhook_secret:{integration_id}", who.id)


def creating(session: Session, at: Services, who: FounderView, slug: str, name: str) -> Answer:
    """Raises as core does."""
    space_id, now = access.space_id(session, who.id, slug), at.clock()
    integration_id = integrations.create(session, space_id, name, now)
    key_id, key = keys.mint(session, integration_id, now, who.id)
    audit.record(session, who.id, "integrations.create", integration_id, now, {"key_id": key_id})
    made = integration_out(load(session, at, who.id, integration_id), at)
    return 201, CreatedOut(integration=made, key_id=key_id, key=key)


def rotating_key(at: Services, who: FounderView, integration_id: str, asked: RotateIn) -> Answer:
    """Raises as core does."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        if not succession.current(session, integration_id):
            grace = timedelta(seconds=asked.grace_seconds)
            key_id, key = rotation.rotate(session, integration_id, grace, at.clock(), who.id, asked.force)
            return 201, RotatedKeyOut(
                id=key_id, key=key, keys=_keys(session, at, integration_id), rotation=None
            )
    made, key = rotated(at, who, f"api_key:{integration_id}", asked)
    with at.transaction() as session:
        known = _keys(session, at, integration_id)
    return 201, RotatedKeyOut(id=made.detail["key_id"], key=key, keys=known, rotation=rotation_out(made, at))


def rotating_secret(at: Services, who: FounderView, integration_id: str, asked: RotateIn) -> Answer:
    """Raises as core does."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        if not secret_succession.current(session, integration_id):
            grace = timedelta(seconds=asked.grace_seconds)
            secret_id, secret = secrets.rotate(
                session, at.vault, integration_id, grace, at.clock(), who.id, asked.force
            )
            known = _secrets(session, at, integration_id)
            return 201, RotatedSecretOut(id=secret_id, secret=secret, secrets=known, rotation=None)
    made, secret = rotated(at, who, f"webhook_secret:{integration_id}", asked)
    with at.transaction() as session:
        known = _secrets(session, at, integration_id)
    secret_id = made.detail["secret_id"]
    return 201, RotatedSecretOut(id=secret_id, secret=secret, secrets=known, rotation=rotation_out(made, at))


def rotated(at: Services, who: FounderView, name: str, asked: RotateIn) -> tuple[RotationView, str]:
    """The rotation as far as it went, and the new value. Raises as `Rotations.rotate`."""
    grace = timedelta(seconds=asked.grace_seconds)
    made = at.rotations.rotate(name, mode=Mode.ASKED, by=who.id, shown=True, grace=grace, forced=asked.force)
    if made.plaintext is None:
        raise Conflict(f"Nothing new was made: {made.rotation.problem}", fix="Try again.")
    return made.rotation, made.plaintext


def revoke(at: Services, who: FounderView, integration_id: str, key_id: str) -> None:
    """Raises as core does. With the old key's end its rotation comes to its own: the end is tried."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        rotation.revoke(session, integration_id, key_id, at.clock(), who.id)
    at.rotations.ended_by_hand(f"api_key:{integration_id}", key_id, who.id)


def revoke_signing(at: Services, who: FounderView, integration_id: str, secret_id: str) -> None:
    """Raises as core does."""
    with at.transaction() as session:
        access.integration(session, who.id, integration_id)
        secrets.revoke(session, integration_id, secret_id, at.clock(), who.id)
    at.rotations.ended_by_hand(f"webhook_secret:{integration_id}", secret_id, who.id)


def note(session: Session, at: Services, who: FounderView, integration_id: str, different: object) -> None:
    """The audit's row of a change, if it was one."""
    if different:
        audit.record(session, who.id, "integrations.change", integration_id, at.clock(), {"what": different})


def rotation_out(made: RotationView, at: Services) -> RotationOut:
    return RotationOut(
        id=made.id,
        secret=made.name,
        phase=made.phase(at.clock()),
        problem=made.problem,
        overlap_until=made.overlap_until,
        proofs=[ProofOut.model_validate(dict(proof)) for proof in made.proofs],
    )


def _keys(session: Session, at: Services, integration_id: str) -> list[KeyOut]:
    return [key_out(one, at) for one in keys.of_integration(session, integration_id)]


def _secrets(session: Session, at: Services, integration_id: str) -> list[SecretOut]:
    return [secret_out(one, at) for one in secrets.of_integration(session, integration_id)]


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
