"""Proof of work before a mail goes out: asked for, solved, spent once; without it the form says so."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from altcha import Challenge, Payload, solve_challenge
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.http import proof_of_work
from api.http.pages.joining import UNPROVEN
from api.http.proof_of_work import LIFETIME_S, Proofs
from api.http.rate_limits import RateLimits
from api.http.services import Services
from api.providers.messaging.outbox import Outbox
from tests.api.http.conftest import Visit
from tests.product import SESSION_SECRET

OLDER = "the session secret of last month, long enough"


@pytest.fixture
def _asked_for(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    at: Services = app.state.services
    monkeypatch.setattr(Services, "join_needs_proof", property(lambda _: True))
    for name in ("_joining", "_joining_again", "_joining_all"):
        monkeypatch.setattr(at.limits, name, getattr(RateLimits(1, 1), name))
    yield


def solve(challenge: dict[str, Any], **changed: Any) -> str:
    """What a browser brings back."""
    made = Challenge.from_dict({**challenge, "parameters": challenge["parameters"] | changed})
    solution = solve_challenge(made)
    assert solution is not None
    return Payload(made, solution).to_base64()


@pytest.mark.usefixtures("_asked_for")
def test_a_solution_sends_one_mail_and_is_spent(visit: Visit, outbox: Outbox) -> None:
    page = visit().get("/").text
    assert 'data-challenge="/join/challenge"' in page and "JavaScript" in page
    answer = visit().get("/join/challenge")
    assert answer.headers["cache-control"] == "no-store"
    form = {"email": "prover@example.net", "altcha": solve(answer.json())}
    assert visit().post("/join", data=form).status_code == 202
    again = visit().post("/join", data=form)
    assert again.status_code == 422 and UNPROVEN in again.text
    deadline = time.monotonic() + 5
    while outbox.latest("prover@example.net") is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.usefixtures("_asked_for")
@pytest.mark.parametrize("altcha", ["", "x", "é", "bnVsbA==", "W10=", "eyJjaGFsbGVuZ2UiOiB7fX0=", "A" * 1999])
def test_without_one_the_form_says_what_to_do(anyone: TestClient, outbox: Outbox, altcha: str) -> None:
    answer = anyone.post("/join", data={"email": "lazy@example.net", "altcha": altcha})
    assert answer.status_code == 422 and UNPROVEN in answer.text and 'id="join-problem"' in answer.text
    assert outbox.latest("lazy@example.net") is None


def test_where_none_is_asked_for_there_is_none(anyone: TestClient) -> None:
    assert anyone.get("/join/challenge").status_code == 404
    assert "data-challenge" not in anyone.get("/").text


def test_a_challenge_is_ours_unchanged_and_young(monkeypatch: pytest.MonkeyPatch) -> None:
    proofs = Proofs([SESSION_SECRET])
    challenge = proofs.challenge()
    solution = solve(challenge)
    assert proofs.solved(solution) == challenge["signature"]
    assert Proofs([OLDER]).solved(solution) is None
    assert Proofs([OLDER, SESSION_SECRET]).solved(solution) == challenge["signature"]
    assert proofs.solved(solve(challenge, cost=1)) is None
    assert proofs.solved(solve(challenge, expiresAt=int(time.time()) + 99_999)) is None
    monkeypatch.setattr(proof_of_work, "LIFETIME_S", -LIFETIME_S)
    assert proofs.solved(solve(proofs.challenge())) is None


def test_a_wrong_solution_is_none() -> None:
    proofs = Proofs([SESSION_SECRET])
    said = json.loads(base64.b64decode(solve(proofs.challenge())))
    for wrong in ({"counter": said["solution"]["counter"] + 1}, {"counter": -1}, {"derivedKey": "00" * 32}):
        text = base64.b64encode(json.dumps({**said, "solution": said["solution"] | wrong}).encode()).decode()
        assert proofs.solved(text) is None


@pytest.mark.parametrize(
    ("asked", "url", "messenger", "needed"),
    [
        (None, "https://app.example", "live", True),
        (None, "http://app.example", "live", False),
        (None, "https://app.example", "outbox", False),
        (True, "http://127.0.0.1:8000", "outbox", True),
        (False, "https://app.example", "live", False),
    ],
)
def test_it_is_asked_for_where_mails_go_out(
    app: FastAPI, asked: bool | None, url: str, messenger: str, needed: bool
) -> None:
    at: Services = app.state.services
    settings = replace(
        at.settings,
        platform=at.settings.platform.model_copy(update={"public_app_url": url}),
        service=at.settings.service.model_copy(update={"join_proof_of_work": asked}),
    )
    other: Any = SimpleNamespace(name=messenger)
    assert replace(at, settings=settings, messenger=other).join_needs_proof is needed
