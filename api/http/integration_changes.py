"""What founders do to an integration, by the API and on the pages alike: created, keys and secrets rotated by
overlap, tried and ended."""

from datetime import timedelta

from api.core import audit
from api.core.access import integrations
from api.core.access import service as access
from api.core.errors import Conflict
from api.core.founders.service import FounderView
from api.core.keys import rotation, succession
from api.core.keys import service as keys
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode
from api.core.webhooks import secrets
from api.core.webhooks import succession as secret_succession
from api.db.engine import Session
from api.http.idempotency import Answer
from api.http.integration_setup import load
from api.http.integration_shapes import (
    CreatedOut,
    KeyOut,
    RotatedKeyOut,
    RotatedSecretOut,
    RotateIn,
    SecretOut,
    integration_out,
    key_out,
    rotation_out,
    secret_out,
)
from api.http.services import Services


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


def _keys(session: Session, at: Services, integration_id: str) -> list[KeyOut]:
    return [key_out(one, at) for one in keys.of_integration(session, integration_id)]


def _secrets(session: Session, at: Services, integration_id: str) -> list[SecretOut]:
    return [secret_out(one, at) for one in secrets.of_integration(session, integration_id)]
