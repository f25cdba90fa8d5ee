"""A switch that is turned at one process holds at the other within five seconds, by hint and without."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import psycopg

from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from deployments.local.seed import partner_keys_file
from tests.inbox import code_sent
from tests.product import BASE_URL, OWNER_PHONE, SLUG, seeded
from tests.serving import processes

__all__ = ["seeded"]

SPACE = f"/api/founder/v1/spaces/{SLUG}"
WITHIN_S = 5.0


def test_a_switch_turned_at_one_holds_at_the_other(seeded: Settings) -> None:
    key = next(iter(json.loads(partner_keys_file(seeded).read_text()).values()))
    bearer = {"Authorization": f"Bearer {key}"}
    with (
        processes(seeded, 2) as (one, other),
        httpx.Client(base_url=one, headers={"Origin": BASE_URL}) as founder,
        httpx.Client(base_url=other, headers=bearer) as partner,
    ):
        log_in(founder, Outbox(seeded.service.outbox_dir))

        return_url = partner.get("/api/integration/v1/me").json()["return_urls"][0]

        def called() -> str:
            return code(partner.get("/api/integration/v1/me"))

        def joined() -> str:
            body = {"mode": "redirect", "external_user_id": f"new-{uuid4()}", "state": "s"}
            asked = body | {"return_url": return_url}
            return code(partner.post("/api/integration/v1/waitlist/start", json=asked))

        assert (called(), joined()) == ("", "")
        turn(founder, "features/integration_enabled", {"enabled": False})
        assert seconds_until(lambda: called() == "integration_disabled") < WITHIN_S
        with psycopg.connect(seeded.platform.database_url.get_secret_value(), autocommit=True) as database:
            database.execute("alter table flags disable trigger flags_changed")
        turn(founder, "features/integration_enabled", {"enabled": True})
        turn(founder, "onboarding", {"paused": True})
        assert seconds_until(lambda: called() == "") < WITHIN_S
        assert seconds_until(lambda: joined() == "onboarding_paused") < WITHIN_S


def code(answer: httpx.Response) -> str:
    return "" if answer.is_success else answer.json()["code"]


def log_in(founder: httpx.Client, outbox: Outbox) -> None:
    asked_at = datetime.now(UTC)
    founder.post("/auth/otp/start", json={"phone": OWNER_PHONE}).raise_for_status()
    typed = code_sent(outbox, OWNER_PHONE, asked_at)
    founder.post("/auth/otp/verify", json={"code": typed}).raise_for_status()


def turn(founder: httpx.Client, switch: str, body: dict[str, bool]) -> None:
    founder.patch(f"{SPACE}/{switch}", json={**body, "reason": "a test of two"}).raise_for_status()


def seconds_until(true: Callable[[], bool]) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < 2 * WITHIN_S
        time.sleep(0.05)
    return time.monotonic() - started
