"""Rotating signing secrets: overlap, one rotation at a time, sealed at rest."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.errors import Conflict, Refused
from api.core.webhooks import secrets
from tests.api.core.places import Place, new_place
from tests.product import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def place(session: Session, vault: Vault) -> Place:
    return new_place(session, vault)


def test_the_first_secret_stays_valid_and_is_sealed(session: Session, vault: Vault, place: Place) -> None:
    secret_id, plaintext = secrets.rotate(session, vault, place.integration_id, DAY, NOW, place.founder_id)
    assert secrets.valid(session, vault, place.integration_id, NOW + 400 * DAY) == [plaintext]
    assert [one.id for one in secrets.of_integration(session, place.integration_id)] == [secret_id]
    stored = session.execute(text("select row_to_json(w)::text from webhook_secrets w")).scalars().all()
    assert plaintext.encode().hex() not in "".join(stored)


def test_during_the_grace_both_are_valid_newest_first(session: Session, vault: Vault, place: Place) -> None:
    integration_id = place.integration_id
    _, old = secrets.rotate(session, vault, integration_id, DAY, NOW, "fnd_1")
    _, new = secrets.rotate(session, vault, integration_id, DAY, NOW + HOUR, "fnd_1")
    assert secrets.valid(session, vault, integration_id, NOW + DAY) == [new, old]
    assert secrets.valid(session, vault, integration_id, NOW + HOUR + DAY) == [new]
    shown = secrets.of_integration(session, integration_id)
    assert [one.expires_at for one in shown] == [None, NOW + HOUR + DAY]


def test_one_rotation_at_a_time_unless_forced(session: Session, vault: Vault, place: Place) -> None:
    integration_id = place.integration_id
    for hours in (0, 1):
        secrets.rotate(session, vault, integration_id, DAY, NOW + hours * HOUR, "fnd_1")
    with pytest.raises(Conflict) as refused:
        secrets.rotate(session, vault, integration_id, DAY, NOW + 2 * HOUR, "fnd_1")
    assert refused.value.code == "rotation_in_progress"
    _, leaked = secrets.rotate(
        session, vault, integration_id, timedelta(0), NOW + 2 * HOUR, "fnd_1", forced=True
    )
    assert secrets.valid(session, vault, integration_id, NOW + 2 * HOUR) == [leaked]
    _, after = secrets.rotate(session, vault, integration_id, DAY, NOW + 3 * HOUR, "fnd_1")
    assert secrets.valid(session, vault, integration_id, NOW + 3 * HOUR) == [after, leaked]


def test_the_platforms_secret_is_a_fallback_only(session: Session, vault: Vault, place: Place) -> None:
    assert secrets.valid(session, vault, place.integration_id, NOW) == []
    assert secrets.valid(session, vault, place.integration_id, NOW, ["whsec_AAAA"]) == ["whsec_AAAA"]
    _, own = secrets.rotate(session, vault, place.integration_id, DAY, NOW, "fnd_1")
    assert secrets.valid(session, vault, place.integration_id, NOW, ["whsec_AAAA"]) == [own]


def test_use_is_remembered_and_rotation_audited(session: Session, vault: Vault, place: Place) -> None:
    secret_id, _ = secrets.rotate(session, vault, place.integration_id, DAY, NOW, place.founder_id)
    for seconds in (0, 30):
        secrets.valid(session, vault, place.integration_id, NOW + timedelta(seconds=seconds))
    session.expire_all()
    assert secrets.of_integration(session, place.integration_id)[0].last_used_at == NOW
    rows = session.execute(
        text("select actor, action, detail from audit where subject = :i"), {"i": place.integration_id}
    ).all()
    said = {"secret_id": secret_id, "grace_seconds": 86400, "forced": False}
    assert [tuple(row) for row in rows] == [(place.founder_id, "webhook_secrets.rotate", said)]


@pytest.mark.parametrize("grace", [timedelta(seconds=-1), timedelta(days=7, seconds=1)])
def test_a_grace_has_bounds(session: Session, vault: Vault, place: Place, grace: timedelta) -> None:
    with pytest.raises(Refused, match="7 days"):
        secrets.rotate(session, vault, place.integration_id, grace, NOW, "fnd_1")
