"""What callers do all the time while a secret is rotated, and what they were answered."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import monotonic, sleep

import httpx
import pytest

from api.core.access import holders
from api.core.chat.token import Bearer
from api.providers.messaging.outbox import Outbox
from api.providers.secret_kinds.live_checks import CHAT, ME
from deployments.local.seed import partner_keys_file
from tests.inbox import code_sent
from tests.product import OWNER_PHONE
from tests.serving import Served


@dataclass
class Traffic:
    calls: dict[str, Callable[[], httpx.Response]]
    count: int = 0
    failed: list[str] = field(default_factory=list[str])

    @contextmanager
    def flowing(self) -> Iterator[None]:
        stop = Event()

        def run() -> None:
            while not stop.is_set():
                for name, call in self.calls.items():
                    self.count += 1
                    if (answer := call()).status_code != 200:
                        self.failed.append(f"{name}: {answer.status_code} {answer.text[:200]}")

        thread = Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def callers(served: Served) -> Iterator[dict[str, Callable[[], httpx.Response]]]:
    """A founder's cookie, a widget's token and a partner's key, made before any rotation."""
    outbox = Outbox(served.settings.service.outbox_dir)
    at, now = served.services, datetime.now(UTC)
    _, key = next(iter(json.loads(partner_keys_file(served.settings).read_text()).items()))
    with httpx.Client(base_url=served.url, headers={"Origin": served.url}) as founder:
        assert founder.post("/auth/otp/start", json={"phone": OWNER_PHONE}).status_code == 202
        code = code_sent(outbox, OWNER_PHONE, now)
        assert founder.post("/auth/otp/verify", json={"code": code}).status_code == 200
        with at.transaction() as session:
            found = holders.anyone_with_origin(session)
        assert found is not None
        holder, origin = found
        bearer = Bearer(holder.user_id, holder.integration_id, holder.grant_id, origin)
        token, _ = at.widget_keys.mint(bearer, timedelta(minutes=10), at.clock())
        widget = {"Authorization": f"Bearer {token}", "Widget-Origin": origin}
        partner = {"Authorization": f"Bearer {key}"}
        beat = {"users": [{"external_user_id": holder.external_user_id}]}
        yield {
            "founder": lambda: founder.get(ME),
            "widget": lambda: httpx.get(f"{served.url}{CHAT}", headers=widget),
            "heartbeat": lambda: httpx.post(
                f"{served.url}/api/integration/v1/heartbeat", headers=partner, json=beat
            ),
        }


def wait_until_known(served: Served, count: int) -> None:
    """The process has said with which secrets it runs."""
    deadline = monotonic() + 60
    while sum(row.held.name.isupper() for row in served.services.rotations.standing()) < count:
        assert monotonic() < deadline
        sleep(0.05)
