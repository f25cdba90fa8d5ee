"""Hosting: point a service at a database and know when it serves from it. One file per platform.

`local`       the staging process of the embedded stack
`pointer`     the file that says what a local service serves from
`releases`    what a local service was deployed with, one after the other
`loopback`    plain HTTP to this machine
`supervisor`  the process supervisor of the embedded stack, as seen through its socket
"""

from collections.abc import Callable

from api.core.ports import HostingProvider
from api.providers.hosting.local import LocalHosting
from api.settings import Settings

PROVIDERS: dict[str, Callable[[Settings], HostingProvider]] = {
    "local": LocalHosting.from_settings,
}


def hosting_provider(settings: Settings) -> HostingProvider:
    """The provider that `FIRSTUSER_HOSTING_PROVIDER` names."""
    return PROVIDERS[settings.drills.hosting_provider](settings)
