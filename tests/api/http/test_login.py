"""Login through the door: what a person, a stranger and an attacker get."""

from starlette.testclient import TestClient

from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit, log_in
from tests.product import OTHER_PHONE, OWNER_PHONE


def test_a_founder_gets_in_and_out(anyone: TestClient, outbox: Outbox) -> None:
    log_in(anyone, outbox)
    cookie = anyone.cookies["fu_session_development"]
    assert anyone.get("/app").status_code == 200
    assert anyone.post("/auth/logout").status_code == 303
    anyone.cookies.set("fu_session_development", cookie)
    assert anyone.get("/app").headers["location"] == "/login?next=/app"


def test_the_code_works_once_and_in_one_browser(visit: Visit, outbox: Outbox) -> None:
    first, second = visit(), visit()
    code = log_in(first, outbox)
    for browser in (first, second):
        answer = browser.post("/auth/otp/verify", json={"code": code})
        assert (answer.status_code, answer.json()["code"]) == (401, "code_invalid")


def test_strangers_get_the_same_answer_and_no_message(visit: Visit, outbox: Outbox) -> None:
    known, unknown = visit(), visit()
    answers = [
        known.post("/auth/otp/start", json={"phone": OTHER_PHONE}),
        unknown.post("/auth/otp/start", json={"phone": "+447700900999"}),
    ]
    assert answers[0].status_code == answers[1].status_code == 202
    assert answers[0].content == answers[1].content
    assert [sorted(answer.cookies) for answer in answers] == [["fu_browser_development"]] * 2
    assert outbox.latest("+447700900999") is None
    assert outbox.latest(OTHER_PHONE) is not None


def test_a_form_leads_to_where_the_person_wanted_to_go(anyone: TestClient, outbox: Outbox) -> None:
    page = anyone.post("/auth/otp/start", data={"identifier": "+1 (555) 010-0001", "next": "/app/ops"})
    assert page.status_code == 202 and "+15••••0001" in page.text
    message = outbox.latest(OWNER_PHONE)
    assert message is not None
    answer = anyone.post("/auth/otp/verify", data={"code": message.body[:6], "next": "/app/ops"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/ops")


def test_nobody_is_led_to_another_site(anyone: TestClient, outbox: Outbox) -> None:
    for wanted in (
        "https://evil.example",
        "//evil.example",
        "/app/../../evil",
        "/application",
        "/app\r\nX: y",
        "https://[::1",
    ):
        anyone.post("/auth/otp/start", data={"identifier": OWNER_PHONE})
        message = outbox.latest(OWNER_PHONE)
        assert message is not None
        answer = anyone.post("/auth/otp/verify", data={"code": message.body[:6], "next": wanted})
        assert answer.headers["location"].startswith("/app")
        assert "evil.example" not in answer.headers["location"] and "x" not in answer.headers


def test_a_wrong_code_on_the_page_says_so(anyone: TestClient) -> None:
    anyone.post("/auth/otp/start", data={"identifier": OWNER_PHONE})
    page = anyone.post("/auth/otp/verify", data={"code": "000000"}, headers={"Accept": "text/html"})
    assert page.status_code == 401 and "ask for a new one" in page.text


def test_a_mistyped_phone_is_explained(anyone: TestClient) -> None:
    page = anyone.post("/auth/otp/start", data={"identifier": "555 01"}, headers={"Accept": "text/html"})
    assert page.status_code == 422 and "country code" in page.text
    problem = anyone.post("/auth/otp/start", json={"phone": "555 01"})
    assert (problem.status_code, problem.json()["code"]) == (422, "phone_invalid")


def test_bodies_that_are_none_are_refused(anyone: TestClient) -> None:
    for body in (b"", b"[]", b"{", b"\xff"):
        answer = anyone.post("/auth/otp/verify", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {401, 422}, body
