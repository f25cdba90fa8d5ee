"""API keys in the database: only hashes, one answer for every bad key."""

from datetime import timedelta

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from api.core.crypto import Vault
from api.core.keys import service, token
from api.core.keys.models import ApiKey
from tests.api.core.places import new_place
from tests.product import NOW


def test_a_minted_key_is_recognised_and_stored_as_a_hash_only(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    _, plaintext = service.mint(session, place.integration_id, NOW)
    assert service.authenticate(session, plaintext, NOW) == place.integration_id
    stored = session.execute(text("select row_to_json(k)::text from api_keys k")).scalars().all()
    secret = plaintext.rsplit("_", 1)[1][:40]
    assert not [row for row in stored if secret in row]


def test_every_bad_key_is_just_refused(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    key_id, plaintext = service.mint(session, place.integration_id, NOW)
    forged = token.Token(key_id, "0" * 40).plaintext
    unknown = token.generate().plaintext
    for bad in (forged, unknown, plaintext[:-1], "", "fu_live_", "Bearer x"):
        assert service.authenticate(session, bad, NOW) is None
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(revoked_at=NOW))
    assert service.authenticate(session, plaintext, NOW) is None


def test_use_is_remembered_at_most_once_a_minute(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    _, plaintext = service.mint(session, place.integration_id, NOW)
    seen = []
    for seconds in (0, 30, 61):
        service.authenticate(session, plaintext, NOW + timedelta(seconds=seconds))
        session.expire_all()
        seen.append(service.of_integration(session, place.integration_id)[0].last_used_at)
    assert seen == [NOW, NOW, NOW + timedelta(seconds=61)]


def test_a_key_is_shown_masked(session: Session, vault: Vault) -> None:
    place = new_place(session, vault)
    key_id, plaintext = service.mint(session, place.integration_id, NOW)
    shown = service.of_integration(session, place.integration_id)[0].masked
    assert key_id in shown and plaintext.rsplit("_", 1)[1] not in shown
