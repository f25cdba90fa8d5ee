"""Whoever uses a key whose time is over gets the uniform 401, and ops hear of it, with the integration."""

import secrets
import time
from collections.abc import Collection

from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from api.core.alerts import views
from api.core.keys import service as keys
from api.core.keys.token import generate
from api.db.engine import sqlalchemy_url
from api.http.services import Services
from api.settings import Settings
from tests.product import BASE_URL

ME = "/api/integration/v1/me"


def test_a_retired_key_is_an_alert_and_any_other_bad_key_is_not(
    app: FastAPI, seeded: Settings, integration_id: str
) -> None:
    at: Services = app.state.services
    before = _alerts(seeded).keys()
    with at.transaction() as session:
        made = [keys.mint(session, integration_id, at.clock(), "test") for _ in range(2)]
        expired_id, expired = made[0]
        revoked_id, revoked = made[1]
        session.execute(text("update api_keys set expires_at = now() where id = :i"), {"i": expired_id})
        session.execute(text("update api_keys set revoked_at = now() where id = :i"), {"i": revoked_id})
    never = generate().plaintext
    forged = f"{revoked[:30]}{secrets.token_hex(20)}"
    with TestClient(app, base_url=BASE_URL) as client:
        answers = [
            client.get(ME, headers={"Authorization": f"Bearer {key}"})
            for key in (expired, revoked, revoked, never, forged)
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.json()["code"] for answer in answers}) == 1
        deadline = time.monotonic() + 10
        while len(found := _new(seeded, before)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert found == {expired_id: (integration_id, 1), revoked_id: (integration_id, 1)}


def _new(settings: Settings, before: Collection[str]) -> dict[str, tuple[str, int]]:
    return {key: told for key, told in _alerts(settings).items() if key not in before}


def _alerts(settings: Settings) -> dict[str, tuple[str, int]]:
    engine = create_engine(sqlalchemy_url(settings.platform.database_url.get_secret_value()))
    with Session(engine) as session:
        found = [one for one in views.open_alerts(session, "") if one.rule == "retired_key_used"]
    engine.dispose()
    return {one.scope: (one.metadata["integration_app_id"], one.seen) for one in found}
