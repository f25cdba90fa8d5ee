"""How a webhook gets out: `network` (resolve, check, pin) · `http` (the POST) · `held` (nothing gets out)."""

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
