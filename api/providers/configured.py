"""Every vendor that the settings name, and what its credentials may do: `accesses`, for people to read.

Reads only. What a store of secrets may do is seen by looking for a secret, whose value is not read.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from api.core.errors import FirstUserError
from api.core.ports import AccessChecker, Permission
from api.core.rotation.stores import SecretStore
from api.providers.access import tried
from api.providers.alerting import channels
from api.providers.databases.registry import database_provider
from api.providers.edge.cloudflare import cloudflare
from api.providers.hosting import hosting_provider
from api.providers.messaging import messenger
from api.providers.secret_stores import secret_store
from api.settings import Settings
from api.settings.rings import SESSION


@dataclass(frozen=True, slots=True)
class Access:
    """`vendor` is used for `area`. No permissions: it is this machine, or says nothing."""

    area: str
    vendor: str
    permissions: Sequence[Permission]

    @property
    def ok(self) -> bool:
        return all(one.ok is not False for one in self.permissions)


def accesses(settings: Settings) -> list[Access]:
    return [_access(*one) for one in _configured(settings)]


def _configured(settings: Settings) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """(area, vendor, adapter)"""
    drills = settings.drills
    yield "database", drills.database_provider, lambda: database_provider(settings)
    yield "hosting", drills.hosting_provider, lambda: hosting_provider(settings)
    for name in settings.platforms.secret_store_list:
        yield "secrets", name, lambda name=name: secret_store(settings, name)
    yield "messages", settings.service.outbound, lambda: messenger(settings)
    for name, channel in channels(settings.platform, settings.alerts, settings.service).items():
        yield "alerts", f"{name} {channel.kind}", lambda channel=channel: channel
    if (edge := cloudflare(settings)) is not None:
        yield "edge", edge.name, lambda: edge


def _access(area: str, vendor: str, make: Callable[[], object]) -> Access:
    try:
        adapter = make()
    except FirstUserError as error:
        return Access(area, vendor, [Permission("be set up", False, error.message, error.fix)])
    if isinstance(adapter, AccessChecker):
        return Access(area, vendor, adapter.check_access())
    if area == "secrets":
        return Access(area, vendor, [_readable(adapter)])  # type: ignore[arg-type]
    return Access(area, vendor, [])


def _readable(store: SecretStore) -> Permission:
    return tried(
        f"look up {SESSION}", lambda: store.describe(SESSION), lambda found: f"{len(found)} versions"
    )
