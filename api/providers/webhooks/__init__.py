"""How a webhook gets out: `curl` (the dispatcher's) · `http` over `network` (test events) · `held` (nothing
gets out). Each looks at the very address that is connected to."""

from api.core.webhooks.attempts import Sender
from api.core.webhooks.targets import is_loopback_url
from api.providers.webhooks.held import Held
from api.providers.webhooks.http import HttpSender
from api.settings import Settings


def sender(settings: Settings) -> Sender:
    """A restored copy never reaches a partner."""
    if settings.service.restored_copy:
        return Held()
    return HttpSender(loopback_allowed=is_loopback_url(settings.platform.public_app_url))
