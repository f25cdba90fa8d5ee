"""The Ops page of secrets: names, versions, ages and due dates for the owner; no value for anybody."""

from fastapi import FastAPI
from starlette.testclient import TestClient

from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE

PAGE = "/app/ops/secrets"


def test_every_secret_with_its_age_and_a_button(
    app: FastAPI, founder: TestClient, partner_keys: dict[str, str]
) -> None:
    at: Services = app.state.services
    last = list(partner_keys)[-1]
    name = f"api_key:{last}"
    before = founder.get(PAGE)
    assert before.status_code == 200 and name in before.text and "of 90 days" in before.text
    assert founder.post(f"{PAGE}/rotate", data={"name": name}).headers["location"] == PAGE
    begun = at.rotations.running(name)
    assert begun is not None and begun.handed_over_at is None and not begun.problem
    after = founder.get(PAGE).text
    assert "version 1 → 2: overlap" in after and "waitlist/start with the new key" in after
    assert not any(key in after for key in partner_keys.values())
    waiting = founder.get(f"/app/integrate/{last}")
    if waiting.status_code == 200:
        assert "A new key waits for you" in waiting.text
    assert founder.post(f"{PAGE}/{begun.id}/rollback").headers["location"] == PAGE
    assert at.rotations.running(name) is None
    assert founder.post(f"{PAGE}/{begun.id}/retire").status_code == 422
    assert founder.post(f"{PAGE}/rotate", data={"name": "NOTHING"}).status_code == 422


def test_it_is_the_homepage_owners(visit: Visit, outbox: Outbox, anyone: TestClient) -> None:
    assert anyone.get(PAGE).status_code in {303, 401}
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    assert other.get(PAGE).status_code == 403
