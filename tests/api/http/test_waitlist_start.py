"""A partner sends visitors to the waiting list, and what those see."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from api.http.flag_board import FlagBoard
from api.http.rate_limits import Buckets
from tests.product import SLUG

START = "/api/integration/v1/waitlist/start"
SITE = f"https://app.{SLUG}.example"
STATE = "st&te=1 2"


def redirect(**more: object) -> dict[str, Any]:
    body = {
        "mode": "redirect",
        "external_user_id": f"v-{uuid4()}",
        "return_url": f"{SITE}/welcome",
        "state": STATE,
        "code_challenge": "A" * 43,
    }
    return body | more


def embedded(**more: object) -> dict[str, Any]:
    return {"mode": "embedded", "external_user_id": f"v-{uuid4()}", "embed_origin": SITE} | more


def accept(founder: TestClient, started: Mapping[str, Any]) -> None:
    entry_id = started["entry"]["id"]
    assert founder.post(f"/api/founder/v1/entries/{entry_id}/accept").status_code == 200


def path_of(url: str) -> str:
    return urlsplit(url).path


def test_new_is_201_and_known_is_200_with_the_same_place(partner: TestClient) -> None:
    body = redirect(email="Anna@Example.com", phone="+1 555 010 0199", metadata={"plan": "pro", "n": 1})
    first = partner.post(START, json=body)
    again = partner.post(START, json={**body, "email": "other@example.com"})
    assert (first.status_code, again.status_code) == (201, 200)
    one, two = first.json(), again.json()
    assert one["entry"] == two["entry"] and one["id"] != two["id"]
    assert one["entry"]["status"] == "waiting" and one["entry"]["position"] >= 1
    assert one["redirect_url"] != two["redirect_url"] and one["embed"] is None
    assert one["id"].startswith("wls_") and one["expires_at"].endswith("Z")
    for personal in ("anna", "555", body["external_user_id"]):
        assert personal not in one["redirect_url"].lower()


def test_data_of_a_person_is_sealed_and_found_by_its_index(partner: TestClient, app: FastAPI) -> None:
    address = f"{uuid4().hex}@example.com"
    started = partner.post(START, json=redirect(email=address.upper(), metadata={"a": [1][0]})).json()
    services = app.state.services
    with services.transaction() as session:
        row = session.execute(
            text("select email_cipher, email_index, metadata from entries where id = :id"),
            {"id": started["entry"]["id"]},
        ).one()
    assert address.encode() not in row[0] and row[1] in services.vault.indexes(address)
    assert row[2] == {"a": 1}


def test_a_referral_moves_up_who_referred(partner: TestClient, founder: TestClient) -> None:
    first = partner.post(START, json=redirect()).json()["entry"]
    for _ in range(20):
        partner.post(START, json=redirect())
    last = partner.post(START, json=redirect()).json()["entry"]
    partner.post(START, json=redirect(referral_code=last["referral_code"]))
    moved = founder.get(f"/api/founder/v1/entries/{last['id']}").json()
    assert moved["referrals"] == 1 and moved["position"] == last["position"] - 9
    assert founder.get(f"/api/founder/v1/entries/{first['id']}").json()["position"] == first["position"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (redirect(return_url="https://evil.example/"), 400, "return_url_not_allowed"),
        (redirect(return_url=f"{SITE}/welcome#x"), 400, "return_url_not_allowed"),
        (redirect(return_url=f"{SITE}/welcome/../x"), 400, "return_url_not_allowed"),
        (embedded(embed_origin="https://evil.example"), 400, "origin_not_allowed"),
        (embedded(embed_origin=f"{SITE}/"), 400, "origin_not_allowed"),
        (redirect(return_url=None), 422, "validation_failed"),
        (redirect(state=None), 422, "validation_failed"),
        (embedded(embed_origin=None), 422, "validation_failed"),
        (redirect(mode="popup"), 422, "validation_failed"),
        (redirect(code_challenge="A" * 42), 422, "validation_failed"),
        (redirect(code_challenge="A" * 42 + "="), 422, "validation_failed"),
        (redirect(email="nobody"), 422, "email_invalid"),
        (redirect(phone="12"), 422, "phone_invalid"),
        (redirect(metadata={"a": "x" * 501}), 422, "validation_failed"),
        (redirect(metadata={str(number): 1 for number in range(51)}), 422, "validation_failed"),
        (redirect(metadata={"a": {"b": 1}}), 422, "validation_failed"),
    ],
)
def test_what_is_not_right_is_refused_with_its_code(
    partner: TestClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = partner.post(START, json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_same_key_starts_once(partner: TestClient) -> None:
    body, headers = redirect(), {"Idempotency-Key": str(uuid4())}
    first = partner.post(START, json=body, headers=headers)
    again = partner.post(START, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content and again.headers["idempotency-replayed"] == "true"
    other = partner.post(START, json=redirect(), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_a_pause_refuses_new_people_only(partner: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    known = redirect()
    partner.post(START, json=known)
    monkeypatch.setattr(FlagBoard, "onboarding_paused", lambda *_: True)
    answer = partner.post(START, json=redirect())
    assert (answer.status_code, answer.json()["code"]) == (409, "onboarding_paused")
    assert partner.post(START, json=known).status_code == 200


def test_a_switched_off_integration_is_turned_away_at_every_call(
    partner: TestClient, anyone: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = partner.post(START, json=redirect()).json()["redirect_url"]
    monkeypatch.setattr(FlagBoard, "integration_enabled", lambda *_: False)
    for method, path in (("GET", "/me"), ("GET", "/users/live"), ("POST", "/waitlist/start")):
        answer = partner.request(method, f"/api/integration/v1{path}", json=redirect())
        assert (answer.status_code, answer.json()["code"]) == (403, "integration_disabled")
    assert anyone.get(path_of(url)).status_code == 404


def test_a_visitor_waits_is_accepted_and_sent_back_with_a_code(
    partner: TestClient, founder: TestClient, anyone: TestClient
) -> None:
    started = partner.post(START, json=redirect()).json()
    path = path_of(started["redirect_url"])
    page = anyone.get(path)
    assert page.status_code == 200 and "You are on the list" in page.text
    assert started["entry"]["referral_code"] in page.text
    assert page.headers["referrer-policy"] == "no-referrer" and page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "You are on the list" in anyone.get(f"{path}/state").text
    accept(founder, started)
    refreshed = anyone.get(f"{path}/state", headers={"HX-Request": "true"})
    assert (refreshed.status_code, refreshed.headers["hx-redirect"]) == (204, path)
    back = anyone.get(path)
    target = urlsplit(back.headers["location"])
    assert back.status_code == 302 and back.headers["referrer-policy"] == "no-referrer"
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{SITE}/welcome"
    query = parse_qs(target.query)
    assert query["state"] == [STATE] and len(query["code"][0]) == 43
    assert parse_qs(urlsplit(anyone.get(path).headers["location"]).query)["code"] != query["code"]


def test_a_rejected_visitor_is_told_so(partner: TestClient, founder: TestClient, anyone: TestClient) -> None:
    started = partner.post(START, json=redirect()).json()
    founder.post(f"/api/founder/v1/entries/{started['entry']['id']}/reject")
    for path in (path_of(started["redirect_url"]), path_of(started["redirect_url"]) + "/state"):
        page = anyone.get(path)
        assert page.status_code == 200 and "Not this time" in page.text and "hx-get" not in page.text


def test_an_ended_link_says_so_and_an_unknown_one_is_nothing(
    partner: TestClient, anyone: TestClient, app: FastAPI
) -> None:
    started = partner.post(START, json=redirect()).json()
    with app.state.services.transaction() as session:
        query = "update waitlist_starts set expires_at = now() - interval '1 second' where id = :id"
        session.execute(text(query), {"id": started["id"]})
    ended = anyone.get(path_of(started["redirect_url"]))
    assert ended.status_code == 410 and "This link has ended" in ended.text
    for path in ("/w/unknown", "/w/embed/unknown", "/w/%00", "/w/%F0%9F%92%A5", f"/w/{'x' * 3000}"):
        answer = anyone.get(path)
        assert answer.status_code == 404 and answer.headers["referrer-policy"] == "no-referrer"


def test_a_frame_is_for_its_origin_and_hands_over_the_code(
    partner: TestClient, founder: TestClient, anyone: TestClient
) -> None:
    started = partner.post(START, json=embedded(state="s1")).json()
    assert started["redirect_url"] is None and started["embed"]["url"].endswith(started["embed"]["token"])
    path = path_of(started["embed"]["url"])
    page = anyone.get(path)
    assert page.status_code == 200 and f'data-origin="{SITE}"' in page.text
    assert page.headers["content-security-policy"].endswith(f"frame-ancestors {SITE}")
    assert page.headers["referrer-policy"] == "no-referrer"
    early = anyone.post(f"{path}/code")
    assert (early.status_code, early.json()["code"]) == (409, "conflict")
    accept(founder, started)
    assert 'data-status="accepted"' in anyone.get(f"{path}/state").text
    handed = anyone.post(f"{path}/code").json()
    assert handed["state"] == "s1" and len(handed["code"]) == 43
    foreign = anyone.post(f"{path}/code", headers={"Origin": SITE})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    assert anyone.get(f"/w/{started['embed']['token']}").status_code == 404


def test_looks_from_one_address_are_limited(
    app: FastAPI, anyone: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state.services.limits, "_visits", Buckets(1, 2))
    answers = [anyone.get("/w/unknown", headers={"Accept": "text/html"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert answers[2].headers["retry-after"] == "1" and "<h1>" in answers[2].text


def test_the_log_does_not_hold_the_token(partner: TestClient, anyone: TestClient) -> None:
    url = partner.post(START, json=redirect()).json()["redirect_url"]
    with capture_logs() as lines:
        anyone.get(path_of(url))
    assert [line["path"] for line in lines] == ["/w/…"]
    assert path_of(url).rsplit("/", 1)[1] not in str(lines)


def test_the_first_start_is_a_milestone(
    app: FastAPI, partner: TestClient, founder: TestClient, integration_id: str
) -> None:
    with app.state.services.transaction() as session:
        query = "delete from milestones where integration_id = :i and key = 'waitlist_start'"
        session.execute(text(query), {"i": integration_id})

    def done() -> bool:
        items = founder.get(f"/api/founder/v1/integrations/{integration_id}").json()["checklist"]
        return next(item["done"] for item in items if item["key"] == "waitlist_start")

    assert not done()
    partner.post(START, json=redirect())
    assert done()
