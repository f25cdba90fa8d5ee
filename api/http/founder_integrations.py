"""The founders' API of integrations: set up, addresses, and keys rotated by overlap. Keys are shown once."""

from functools import partial

from fastapi import APIRouter, Response

from api.core.access import integrations
from api.core.access import service as access
from api.core.access.integrations import Change
from api.http.deps import At, RecentlyProven, SignedIn
from api.http.idempotency import IDEMPOTENCY_CODES, FounderOnce
from api.http.integration_changes import (
    creating,
    note,
    revoke,
    revoke_signing,
    rotating_key,
    rotating_secret,
    trying_secret,
)
from api.http.integration_setup import load
from api.http.integration_shapes import (
    ChangeIn,
    CreatedOut,
    CreateIn,
    IntegrationOut,
    RotatedKeyOut,
    RotatedSecretOut,
    RotateIn,
    RotationOut,
    integration_out,
    rotation_out,
)
from api.http.problems import FOUNDER_CODES, documented

router = APIRouter(prefix="/api/founder/v1", tags=["founder"], responses=documented(*FOUNDER_CODES))
_WRITING = (*FOUNDER_CODES, "foreign_origin")
_SECRETS = (*_WRITING, "recent_login_required", "idempotency_key_required", *IDEMPOTENCY_CODES)
_REVOKING = (*_WRITING, "recent_login_required", "key_is_current")
_ADDRESSES = ("name_invalid", "return_url_invalid", "origin_invalid", "webhook_url_invalid")


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
