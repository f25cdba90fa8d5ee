"""The founder's view of deliveries: endpoints, what went where, resend, replay, and nobody else's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from api.core.webhooks import replays, settling
from api.core.webhooks.attempts import Attempt, Failure
from api.core.webhooks.outbox import publish
from api.providers.messaging.outbox import Outbox
from tests.api.core.webhooks.places import claim, tried
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE

SEEN = Attempt(None, 200, 12, "thanks", "127.0.0.1")
DOWN = Attempt(Failure.REFUSED, 500, 12, "<b>down</b>", "127.0.0.1")


@pytest.fixture
def hooks(app: FastAPI, integration_id: str) -> Iterator[str]:
    """The path of an integration with one endpoint and nothing to send."""
    statement = text("update integrations set webhook_url = :u where id = :i")
    with app.state.services.transaction() as session:
        session.execute(text("update webhook_endpoints set state = 'removed'"))
        session.execute(text("truncate webhook_deliveries, webhook_messages, webhook_attempts"))
        session.execute(statement, {"u": None, "i": integration_id})
        session.execute(statement, {"u": "https://partner.example/hooks", "i": integration_id})
    yield f"/api/founder/v1/integrations/{integration_id}/webhooks"


def sent(app: FastAPI, integration_id: str, count: int, attempt: Attempt | None = None) -> None:
    """Messages, tried once if there is an attempt."""
    at, now = app.state.services, datetime.now(UTC)
    with at.transaction() as session:
        for number in range(count):
            publish(session, integration_id, "access.granted", {"number": number}, now)
    with at.transaction() as session:
        later = now + timedelta(seconds=5)
        claimed = claim(session, at.vault, later) if attempt else []
        if attempt:
            settling.settle(session, [tried(one, attempt, later) for one in claimed], later)


def the_endpoint(founder: TestClient, hooks: str) -> dict[str, Any]:
    (found,) = founder.get(f"{hooks}/endpoints").json()["data"]
    return found


def test_an_endpoint_says_how_it_stands(
    founder: TestClient, app: FastAPI, hooks: str, integration_id: str
) -> None:
    sent(app, integration_id, 2)
    found = the_endpoint(founder, hooks)
    assert (found["registered"], found["state"], found["breaker"]) == (True, "enabled", "closed")
    assert (found["open"], found["exhausted"], found["held"]) == (2, 0, False)
    off = founder.patch(f"{hooks}/endpoints/{found['id']}", json={"state": "disabled"}).json()
    assert (off["state"], off["disabled_reason"]) == ("disabled", "Switched off by hand.")
    wrong = founder.patch(f"{hooks}/endpoints/{found['id']}", json={"event_types": ["nonsense"]})
    assert wrong.json()["code"] == "refused"


def test_another_endpoint_is_told_of_some_events_only(
    founder: TestClient, app: FastAPI, hooks: str, integration_id: str
) -> None:
    given = {"url": "https://other.example/in", "event_types": ["user.deleted"]}
    made = founder.post(f"{hooks}/endpoints", json=given)
    assert made.status_code == 201
    inner = founder.post(f"{hooks}/endpoints", json={"url": "https://10.0.0.1/in"})
    assert inner.json()["code"] == "webhook_url_not_allowed"
    sent(app, integration_id, 1)
    open_ones = {one["url"]: one["open"] for one in founder.get(f"{hooks}/endpoints").json()["data"]}
    assert open_ones == {"https://partner.example/hooks": 1, "https://other.example/in": 0}
    assert founder.delete(f"{hooks}/endpoints/{made.json()['id']}").status_code == 204
    own = the_endpoint(founder, hooks)["id"]
    assert founder.delete(f"{hooks}/endpoints/{own}").json()["code"] == "conflict"


def test_deliveries_by_page_with_request_and_response(
    founder: TestClient, app: FastAPI, hooks: str, integration_id: str
) -> None:
    sent(app, integration_id, 3, SEEN)
    sent(app, integration_id, 2, DOWN)
    listing = f"{hooks}/endpoints/{the_endpoint(founder, hooks)['id']}/deliveries"
    first = founder.get(listing, params={"limit": 3}).json()
    rest = founder.get(listing, params={"limit": 3, "cursor": first["next_cursor"]}).json()
    states = [one["state"] for one in first["data"] + rest["data"]]
    assert states == ["open", "open", "delivered", "delivered", "delivered"]
    assert (first["has_more"], rest["has_more"], rest["next_cursor"]) == (True, False, None)
    assert len(founder.get(listing, params={"state": "open"}).json()["data"]) == 2
    assert founder.get(listing, params={"cursor": "x"}).json()["code"] == "cursor_invalid"
    one = founder.get(f"{hooks}/deliveries/{first['data'][0]['id']}").json()
    assert one["body"].startswith('{"type":"access.granted"')
    (attempt,) = one["tries"]
    assert (attempt["status"], attempt["outcome"], attempt["response"]) == (500, "retried", "<b>down</b>")


def test_resending_keeps_the_webhook_id(
    founder: TestClient, app: FastAPI, hooks: str, integration_id: str
) -> None:
    sent(app, integration_id, 1, SEEN)
    listing = f"{hooks}/endpoints/{the_endpoint(founder, hooks)['id']}/deliveries"
    (done,) = founder.get(listing).json()["data"]
    again = founder.post(f"{hooks}/deliveries/{done['id']}/resend").json()
    assert again["message_id"] == done["message_id"]
    assert (again["state"], again["attempts"]) == ("open", 0)
    assert founder.post(f"{hooks}/deliveries/dlv_nonsense/resend").status_code == 404


def test_a_replay_is_counted_made_by_pieces_and_can_be_cancelled(
    founder: TestClient, app: FastAPI, hooks: str, integration_id: str
) -> None:
    sent(app, integration_id, 7, SEEN)
    at, now = app.state.services, datetime.now(UTC)
    span = {
        "endpoint_id": the_endpoint(founder, hooks)["id"],
        "since": (now - timedelta(hours=1)).isoformat(),
        "until": (now + timedelta(hours=1)).isoformat(),
        "only_exhausted": False,
    }
    dry = founder.post(f"{hooks}/replays", json={**span, "dry_run": True}).json()
    assert (dry["state"], dry["total"], dry["id"]) == ("counted", 7, None)
    nothing = founder.post(f"{hooks}/replays", json={**span, "only_exhausted": True})
    assert nothing.json()["code"] == "conflict"
    running = founder.post(f"{hooks}/replays", json=span).json()
    with at.transaction() as session:
        assert replays.advance(session, now, 5) == 5
    with pytest.raises(ZeroDivisionError), at.transaction() as session:
        replays.advance(session, now, 5)
        raise ZeroDivisionError  # as if killed before the commit
    with at.transaction() as session:
        assert replays.advance(session, now, 5) == 2
        assert replays.advance(session, now, 5) == 0
    (found,) = [one for one in founder.get(f"{hooks}/replays").json()["data"] if one["id"] == running["id"]]
    assert (found["state"], found["made"], found["total"]) == ("done", 7, 7)
    assert the_endpoint(founder, hooks)["open"] == 7
    second = founder.post(f"{hooks}/replays", json=span).json()
    assert founder.post(f"{hooks}/replays/{second['id']}/cancel").status_code == 204
    assert founder.post(f"{hooks}/replays/{second['id']}/cancel").status_code == 404
    with at.transaction() as session:
        assert replays.advance(session, now) == 0


def test_it_is_nobody_elses(visit: Visit, outbox: Outbox, hooks: str) -> None:
    other = visit()
    log_in(other, outbox, OTHER_PHONE)
    for path in ("endpoints", "replays", "deliveries/dlv_0"):
        assert other.get(f"{hooks}/{path}").status_code == 404


def test_the_pages_show_it_and_act(
    founder: TestClient, app: FastAPI, hooks: str, integration_id: str
) -> None:
    sent(app, integration_id, 1, DOWN)
    sent(app, integration_id, 2)
    own = the_endpoint(founder, hooks)["id"]
    place = f"/app/webhooks/{integration_id}/endpoints/{own}"
    overview = founder.get("/app/webhooks")
    assert overview.status_code == 200 and place in overview.text
    listing = founder.get(place)
    assert listing.status_code == 200 and listing.text.count("dlv_") >= 3
    assert founder.get(f"{place}?state=delivered").text.count("dlv_") == 0
    (first, *_) = founder.get(f"{hooks}/endpoints/{own}/deliveries").json()["data"][::-1]
    page = founder.get(f"/app/webhooks/{integration_id}/deliveries/{first['id']}")
    assert "&lt;b&gt;down&lt;/b&gt;" in page.text and "Answered 500" in page.text
    again = founder.post(f"/app/webhooks/{integration_id}/deliveries/{first['id']}/resend")
    assert again.status_code == 303 and founder.get(again.headers["location"]).status_code == 200
    counted = founder.post(f"{place}/replays", data={"hours": 5, "which": "all", "act": "count"})
    assert "3 would be sent" in counted.text
    assert (
        founder.post(f"{place}/replays", data={"hours": 5, "which": "all", "act": "start"}).status_code == 303
    )
    assert founder.post(f"{place}/state", data={"state": "disabled"}).status_code == 303
    assert "Switch on and send" in founder.get(place).text
    for paused in (True, False):
        assert (
            founder.post(f"/app/webhooks/{integration_id}/pause", data={"paused": paused}).status_code == 303
        )
        assert the_endpoint(founder, hooks)["held"] is paused
    for paused in (True, False):
        done = founder.post("/app/webhooks/pause", data={"paused": paused})
        assert (done.status_code, the_endpoint(founder, hooks)["held"]) == (303, paused)
        shown = founder.get("/app/webhooks").text
        assert ("are paused.</strong>" in shown, "Pause deliveries" in shown) == (paused, True)
