"""Hosting: point a service at a database and know when it serves from it. One file per platform.

`local`       the staging process of the embedded stack
`pointer`     the file that says what a local service serves from
`releases`    what a local service was deployed with, one after the other
`loopback`    plain HTTP to this machine
`supervisor`  the process supervisor of the embedded stack, as seen through its socket

`platform`    what all platforms have in common: point, wait, roll back; over `deploys`, one service of any
`pointing`    the variables that point a service on a platform at a restored copy
`readiness`   what a service says of itself
`render`, `railway`, `fly`, `ecs`   one service of each
"""

from collections.abc import Callable, Mapping
from functools import partial

from api.core.errors import Refused
from api.core.ports import HostingProvider
from api.providers.hosting.deploys import PlatformService
from api.providers.hosting.local import LocalHosting
from api.providers.hosting.platform import STAGING, PlatformHosting
from api.providers.hosting.services import SERVICES, others
from api.settings import Settings

PRODUCTION = "production"


def platform_hosting(name: str, settings: Settings) -> PlatformHosting:
    return PlatformHosting(services(settings, name), urls(settings), others=others(settings, name))


PROVIDERS: dict[str, Callable[[Settings], HostingProvider]] = {
    "local": LocalHosting.from_settings,
    **{name: partial(platform_hosting, name) for name in SERVICES},
}


def hosting_provider(settings: Settings) -> HostingProvider:
    """The provider that `FIRSTUSER_HOSTING_PROVIDER` names. Nothing is contacted yet. Raises `Refused`."""
    return PROVIDERS[settings.drills.hosting_provider](settings)


def services(settings: Settings, name: str) -> Mapping[str, PlatformService]:
    """Production and staging, as far as the settings name them. Raises `Refused` when they name neither."""
    found: dict[str, PlatformService] = {}
    missing: list[Refused] = []
    for service, make in ((PRODUCTION, SERVICES[name].production), (STAGING, SERVICES[name].staging)):
        try:
            found[service] = make(settings)
        except Refused as refused:
            missing.append(refused)
    if not found:
        raise missing[0]
    return found


def urls(settings: Settings) -> Mapping[str, str]:
    return {PRODUCTION: settings.platform.public_app_url, STAGING: settings.preflight.staging_url}
