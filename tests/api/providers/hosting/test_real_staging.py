"""The service that a platform runs is the product itself: pointed at a restored copy it serves from that, a
person logs in there by code, and home again it serves from its own database."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from api.core.drills.inbox import pass_for
from api.core.errors import FirstUserError
from api.providers.databases.embedded.cluster import Cluster
from api.providers.hosting.platform import PlatformHosting
from api.providers.hosting.pointing import OWN
from api.providers.hosting.render import RenderService
from api.providers.platforms.render import Render
from api.providers.product.inbox import RemoteInbox
from api.providers.product.visitor import HttpVisitor
from api.settings import Settings
from deployments.bench.places import free_port
from tests.platforms.fake import TOKEN, on_loopback
from tests.platforms.render import SERVICE, FakeRender
from tests.product import DATA_KEY, OWNER_PHONE, new_database, seeded
from tests.serving import ROOT, environment

__all__ = ["seeded"]

LONG = 120.0


class Product:
    """One process of the API at one address, started anew with each deploy."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, variables: Mapping[str, str], release: str) -> None:
        self.stop()
        command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:production_app"]
        self.process = subprocess.Popen(
            [*command, "--port", str(urlsplit(self.url).port)],
            cwd=ROOT,
            env={**os.environ, **variables, "PUBLIC_APP_URL": self.url, "FIRSTUSER_RELEASE": release},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def product() -> Iterator[Product]:
    made = Product()
    yield made
    made.stop()


def log_in(product: Product, copy: str, timeout_s: float = 15) -> str:
    inbox = RemoteInbox(product.url, pass_for([DATA_KEY], copy))
    with HttpVisitor(product.url, inbox.latest, timeout_s=timeout_s) as visitor:
        return visitor.log_in(OWNER_PHONE) + visitor.page("/app")


def test_staging_serves_the_copy_and_then_its_own_again(
    seeded: Settings, cluster: Cluster, product: Product
) -> None:
    copy = seeded.platform.database_url.get_secret_value()
    own = SecretStr(new_database(cluster))
    home = replace(seeded, platform=seeded.platform.model_copy(update={"database_url": own}))
    with on_loopback(FakeRender()) as fake:
        fake.on_live = product.start
        drawn = ("SESSION_SECRET", "INTEGRATION_WIDGET_SIGNING_SECRET")
        fake.variables = environment(home) | {name: secrets.token_hex(32) for name in drawn}
        fake.push("1.0")
        service = RenderService(Render(fake.url, TOKEN, SERVICE), lambda _s: None)
        hosting = PlatformHosting({"staging": service}, {"staging": product.url}, pause_s=0.2)
        away = hosting.point("staging", copy, restored_copy="drill-1", as_of=datetime.now(UTC))
        served = hosting.wait_live("staging", away, LONG)
        assert served.restored_copy == "drill-1"
        assert "code accepted" in log_in(product, "drill-1"), "the founder of the copy"
        with pytest.raises(FirstUserError):
            log_in(product, "drill-2", 2)  # the pass of another copy opens nothing
        back = hosting.wait_live("staging", hosting.point("staging", OWN), LONG)
        assert back.restored_copy is None
        with pytest.raises(FirstUserError):
            log_in(product, "drill-1", 2)  # whom its own database does not know; and its outbox is closed
