"""What an incident's actions do, and how their effect is seen. One file each; `responses` has them all.

`switches`  onboarding paused, an integration off: every API process goes by it, and a canary is refused
`retries`   deliveries held: nothing is claimed any more
`rollback`  the release before serves, and its probes are green
`pages`     a person was told
`canaries`  the requests that have to be refused
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from sqlalchemy.orm import Session

from api.core.clock import Clock
from api.core.crypto import Vault
from api.core.flags.rules import FlagKey
from api.core.incidents.acting import Response
from api.core.incidents.decisions import ActionKind
from api.core.ports import HostingProvider
from api.core.preflight.records import Role
from api.providers.edge.cloudflare import cloudflare
from api.providers.responses.canaries import Canaries
from api.providers.responses.pages import Page
from api.providers.responses.retries import PauseRetries
from api.providers.responses.rollback import RollBack
from api.providers.responses.switches import Switch
from api.settings import Settings


def responses(
    settings: Settings,
    transaction: Callable[[], AbstractContextManager[Session]],
    hosting: HostingProvider,
    vault: Vault,
    clock: Clock,
) -> Mapping[ActionKind, Response]:
    canaries = Canaries(settings.platform.public_app_url, vault, transaction, clock)
    env, edge = settings.service.env, cloudflare(settings)

    def switch(key: FlagKey, value: bool, refused: Callable[[str], str]) -> Switch:
        return Switch(key, value, refused, transaction, clock)

    return {
        ActionKind.PAUSE_ONBOARDING: switch(FlagKey.ONBOARDING_PAUSED, True, canaries.join),
        ActionKind.DISABLE_INTEGRATION: switch(FlagKey.INTEGRATION_ENABLED, False, canaries.call),
        ActionKind.PAUSE_RETRIES: PauseRetries(transaction, clock),
        ActionKind.ROLL_BACK: RollBack(hosting, edge.purge if edge else None),
        ActionKind.PAGE_INCIDENT_OWNER: Page(Role.INCIDENT, env, transaction, clock),
        ActionKind.PAGE_ROLLBACK_OWNER: Page(Role.ROLLBACK, env, transaction, clock),
    }
