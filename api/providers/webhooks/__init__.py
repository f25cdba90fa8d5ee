"""How a webhook gets out: `curl` (the dispatcher's, and by `alone` a single one) · `held` (nothing gets out).
The very address that is connected to is looked at."""

from api.core.webhooks.attempts import Sender
from api.core.webhooks.targets import is_loopback_url
from api.providers.webhooks.alone import Alone
from api.providers.webhooks.held import Held
from api.settings import Settings


def sender(settings: Settings) -> Sender:
    """For one now and then, from any loop. A restored copy never reaches a partner."""
    if settings.service.restored_copy:
        return Held()
    return Alone(loopback_allowed=is_loopback_url(settings.platform.public_app_url))
