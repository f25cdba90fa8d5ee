"""Each platform's fake with its service, a hosting provider over it, and nobody who waits for a clock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from api.providers.hosting.deploys import PlatformService
from api.providers.hosting.ecs import EcsService
from api.providers.hosting.fly import FlyService
from api.providers.hosting.platform import PlatformHosting
from api.providers.hosting.railway import RailwayService
from api.providers.hosting.render import RenderService
from api.providers.platforms.fly import Fly
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from tests.platforms.ecs import CLUSTER, REGION, SERVICE, FakeEcs
from tests.platforms.fake import TOKEN, FakePlatform, on_loopback
from tests.platforms.fly import APP, FakeFly
from tests.platforms.railway import PLACE, FakeRailway
from tests.platforms.render import SERVICE as RENDER_SERVICE
from tests.platforms.render import FakeRender
from tests.platforms.staging import OTHERS, Service, answering


def no_wait(_: float) -> None:
    """Looks follow one another."""


def _render(fake: FakePlatform) -> PlatformService:
    return RenderService(Render(fake.url, TOKEN, RENDER_SERVICE), no_wait)


def _railway(fake: FakePlatform) -> PlatformService:
    return RailwayService(Railway(fake.url, token_header(TOKEN, None), PLACE), no_wait)


def _fly(fake: FakePlatform) -> PlatformService:
    return FlyService(Fly(fake.url, TOKEN, APP), no_wait)


def _ecs(fake: FakePlatform) -> PlatformService:
    return EcsService(aws(fake, "ecs"), aws(fake, "ssm"), CLUSTER, SERVICE, parameter="/firstuser/drill/api")


@cache
def _session() -> boto3.Session:
    return boto3.Session()  # which remembers the models of AWS


def aws(fake: FakePlatform, service: str) -> Any:
    return _session().client(
        service,
        endpoint_url=fake.url,
        region_name=REGION,
        aws_access_key_id=TOKEN,
        aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 4, "mode": "standard"}),
    )


WORLDS: dict[str, tuple[Callable[[], Any], Callable[[Any], PlatformService]]] = {
    "render": (FakeRender, _render),
    "railway": (FakeRailway, _railway),
    "fly": (FakeFly, _fly),
    "ecs": (FakeEcs, _ecs),
}


@dataclass
class World:
    name: str
    fake: Any
    staging: Service
    hosting: PlatformHosting

    def changes(self) -> list[str]:
        """What was asked of the platform that changes something."""
        return [f"{one.method} {one.url.path}" for one in self.fake.asked if one.method != "GET"]


@contextmanager
def world(name: str) -> Iterator[World]:
    """Releases 1.0 and 1.1 were deployed."""
    make, service = WORLDS[name]
    with answering(Service()) as staging, on_loopback(make()) as fake:
        fake.on_live = staging.start
        fake.variables = dict(OTHERS)
        for release in ("1.0", "1.1"):
            fake.push(release)
        both = service(fake)
        urls = {"staging": staging.url, "production": staging.url}
        hosting = PlatformHosting({"staging": both, "production": both}, urls, pause_s=0, sleep=no_wait)
        yield World(name, fake, staging, hosting)
