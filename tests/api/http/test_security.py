"""What surrounds every request: origin, headers, size, errors without secrets."""

import logging
from dataclasses import replace

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.http.middleware import MAX_BODY
from api.settings import Settings
from tests.product import BASE_URL, DATA_KEY, SESSION_SECRET


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": BASE_URL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_foreign_page_cannot_post(app: FastAPI, headers: dict[str, str]) -> None:
    with TestClient(app, base_url=BASE_URL) as client:
        for path in ("/auth/otp/start", "/auth/logout", "/app/ops/drills", "/api/founder/v1/ops/drills"):
            answer = client.post(path, json={}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_our_own_page_can_whatever_it_says_of_its_origin(app: FastAPI) -> None:
    with TestClient(app, base_url=BASE_URL) as client:
        answer = client.post(
            "/auth/otp/start", json={"phone": "+447700900998"}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.status_code == 202


def test_pages_may_run_only_our_own_scripts_and_be_framed_by_nobody(anyone: TestClient) -> None:
    for path in ("/", "/login", "/nothing-here", "/api/healthz"):
        headers = anyone.get(path, headers={"Accept": "text/html"}).headers
        policy = headers["content-security-policy"]
        assert "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["request-id"].startswith("req_")


def test_no_page_holds_inline_script_or_style(founder: TestClient) -> None:
    for path in ("/", "/login", "/app", "/app/live", "/app/chat", "/app/integrate", "/app/ops", "/outbox"):
        html = founder.get(path).text
        assert " style=" not in html and "<style" not in html and "onclick" not in html
        assert html.count("<script") == html.count('<script src="/static/')


def test_large_bodies_are_refused_announced_or_not(anyone: TestClient) -> None:
    big = b'{"phone": "' + b"1" * MAX_BODY + b'"}'
    announced = anyone.post("/auth/otp/start", content=big)
    streamed = anyone.post("/auth/otp/start", content=iter([big[:1000], big[1000:]]))
    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_errors_for_programs_and_for_people(anyone: TestClient) -> None:
    problem = anyone.get("/api/nothing")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["code"] == "not_found"
    assert problem.json()["request_id"] == problem.headers["request-id"]
    page = anyone.get("/nothing", headers={"Accept": "text/html"})
    assert page.status_code == 404 and "<h1>Not found</h1>" in page.text


def test_an_unexpected_error_tells_nothing(app: FastAPI, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError(f"secret {SESSION_SECRET}")

    app.add_api_route("/api/broken", broken)
    with TestClient(app, base_url=BASE_URL, raise_server_exceptions=False) as client:
        answer = client.get("/api/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text and answer.headers["request-id"]


def test_the_log_holds_neither_codes_nor_phones_nor_keys(
    anyone: TestClient, partner: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    anyone.post("/auth/otp/start", json={"phone": "+447700900997"})
    anyone.post("/auth/otp/verify", json={"code": "246810"})
    partner.get("/api/integration/v1/me")
    key = partner.headers["authorization"].removeprefix("Bearer ")
    for secret in ("447700900997", "246810", key, DATA_KEY, SESSION_SECRET):
        assert secret not in caplog.text


def test_over_https_cookies_are_locked_to_the_host(seeded: Settings) -> None:
    platform = seeded.platform.model_copy(update={"public_app_url": "https://app.firstuser.example"})
    secure = create_app(replace(seeded, platform=platform))
    with TestClient(secure, base_url="https://app.firstuser.example") as client:
        answer = client.post(
            "/auth/otp/start", json={"phone": "+447700900996"}, headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert answer.headers["set-cookie"].startswith("__Host-fu_browser_development=")
        for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
            assert part in answer.headers["set-cookie"]
        assert "max-age" in answer.headers["strict-transport-security"]
        assert client.get("/outbox").status_code == 404
