"""The service on a port of its own over data of its own, the document it publishes, and who may call it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.providers.databases.embedded.cluster import Cluster
from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from deployments.bench.places import free_port
from deployments.local.seed import partner_keys_file, seed
from tests.inbox import code_sent
from tests.product import OWNER_PHONE, SLUG, new_database, product_settings

SITE = f"https://app.{SLUG}.example"


@dataclass(frozen=True, slots=True)
class Service:
    """`known`: ids that exist, by the name of the path parameter that takes them."""

    settings: Settings
    document: Mapping[str, Any]
    founder: httpx.Client
    partner: httpx.Client
    integration_id: str
    known: Mapping[str, str]

    def caller(self, path: str) -> httpx.Client:
        return self.partner if path.startswith("/api/integration/") else self.founder


@pytest.fixture(scope="module")
def service(
    cluster: Cluster, cluster_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    port, database = free_port(), new_database(cluster)
    settings = product_settings(cluster_settings, database, tmp_path_factory.mktemp("contract"))
    url = f"http://127.0.0.1:{port}"
    settings = replace(settings, platform=settings.platform.model_copy(update={"public_app_url": url}))
    seed(database, settings, 0.003, datetime.now(UTC))
    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        sleep(0.02)
    integration_id, key = next(iter(json.loads(partner_keys_file(settings).read_text()).items()))
    founder = httpx.Client(base_url=url, headers={"Origin": url})
    partner = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"})
    with httpx.Client(base_url=url, headers={"Origin": url}) as elsewhere:
        log_in(elsewhere, settings.service.outbox_dir)
    log_in(founder, settings.service.outbox_dir)
    yield Service(
        settings,
        founder.get("/api/openapi.json").json(),
        founder,
        partner,
        integration_id,
        known(founder, partner, integration_id),
    )
    founder.close()
    partner.close()
    server.should_exit = True
    thread.join(timeout=10)


def log_in(founder: httpx.Client, outbox: Path) -> None:
    asked_at = datetime.now(UTC)
    founder.post("/auth/otp/start", json={"phone": OWNER_PHONE}).raise_for_status()
    code = code_sent(Outbox(outbox), OWNER_PHONE, asked_at)
    founder.post("/auth/otp/verify", json={"code": code}).raise_for_status()


def admit(founder: httpx.Client, partner: httpx.Client, user: str) -> dict[str, Any]:
    """From the waiting list into the product, as a partner, a founder and a visitor do it; the grant."""
    body = {"mode": "redirect", "external_user_id": user, "return_url": f"{SITE}/welcome", "state": "s"}
    started = partner.post("/api/integration/v1/waitlist/start", json=body).raise_for_status().json()
    founder.post(f"/api/founder/v1/entries/{started['entry']['id']}/accept").raise_for_status()
    back = httpx.get(started["redirect_url"]).headers["location"]
    exchange = {"code": parse_qs(urlsplit(back).query)["code"][0], "return_url": f"{SITE}/welcome"}
    answer = partner.post("/api/integration/v1/access/exchange", json=exchange)
    return answer.raise_for_status().json()["grant"]


def known(founder: httpx.Client, partner: httpx.Client, integration_id: str) -> dict[str, str]:
    entries = founder.get(f"/api/founder/v1/spaces/{SLUG}/entries", params={"status": "waiting"}).json()
    integration = founder.get(f"/api/founder/v1/integrations/{integration_id}").json()
    rotated = founder.post(
        f"/api/founder/v1/integrations/{integration_id}/secrets/rotate",
        headers={"Idempotency-Key": "first"},
    )
    sessions = founder.get("/api/founder/v1/sessions").json()
    hooks = f"/api/founder/v1/integrations/{integration_id}/webhooks"
    endpoint = founder.post(f"{hooks}/endpoints", json={"url": f"{SITE}/hooks"}).json()["id"]
    grant = admit(founder, partner, "talkative")
    wanted = {"external_user_id": "talkative", "origin": SITE}
    token = partner.post("/api/integration/v1/widget/token", json=wanted).json()["token"]
    chat = partner.post(
        "/api/widget/v1/chat/load",
        json={},
        headers={
            "Authorization": f"Bearer {token}",
            "Widget-Origin": SITE,
            "Origin": str(founder.headers["origin"]),
        },
    )
    span = {"endpoint_id": endpoint, "since": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z"}
    replay = founder.post(f"{hooks}/replays", json={**span, "only_exhausted": False}).json()
    deliveries = founder.get(f"{hooks}/endpoints/{endpoint}/deliveries").json()["data"]
    alert = founder.post("/api/founder/v1/ops/alerts/test").raise_for_status().json()
    silence = founder.post("/api/founder/v1/ops/silences", json={"reason": "a test", "minutes": 1})
    return {
        "slug": SLUG,
        "integration_id": integration_id,
        "entry_id": entries["data"][0]["id"],
        "user_id": entries["data"][1]["user_id"],
        "session_id": next(one["id"] for one in sessions["data"] if not one["current"]),
        "key_id": integration["keys"][0]["id"],
        "secret_id": rotated.json()["id"],
        "grant_id": admit(founder, partner, "leaving")["id"],
        "conversation_id": chat.json()["id"],
        "user": grant["external_user_id"],
        "endpoint_id": endpoint,
        "delivery_id": deliveries[0]["id"],
        "replay_id": replay["id"],
        "alert_id": alert["id"],
        "silence_id": silence.raise_for_status().json()["id"],
    }
