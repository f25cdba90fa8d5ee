"""How messages reach people. One adapter, one file, one line in `MESSENGERS`."""

from collections.abc import Callable, Mapping

from pydantic import SecretStr

from api.core.errors import Refused
from api.core.ports import Messenger
from api.providers.messaging.live import Live
from api.providers.messaging.outbox import Outbox
from api.providers.messaging.sendgrid import SendGrid
from api.providers.messaging.textbelt import Textbelt
from api.settings import Settings


def messenger(settings: Settings) -> Messenger:
    """The messenger that the settings name. A restored copy never reaches people: it gets the outbox."""
    name = "outbox" if settings.service.restored_copy else settings.service.outbound
    make = MESSENGERS.get(name)
    if make is None:
        raise Refused(
            f"There is no messenger {name!r}.",
            fix=f"Set FIRSTUSER_OUTBOUND to one of: {', '.join(MESSENGERS)}.",
        )
    return make(settings)


def _textbelt(settings: Settings) -> Textbelt:
    key = _key("TEXTBELT_API_KEY", settings.platform.textbelt_api_key)
    return Textbelt(settings.messaging.textbelt_url, key)


def _sendgrid(settings: Settings) -> SendGrid:
    messaging, platform = settings.messaging, settings.platform
    key = _key("SENDGRID_API_KEY", platform.sendgrid_api_key)
    return SendGrid(messaging.sendgrid_url, key, platform.email_from, sandbox=messaging.sendgrid_sandbox)


def _key(name: str, value: SecretStr | None) -> str:
    if value is None or not value.get_secret_value():
        raise Refused(f"{name} is not set.", fix=f"Set {name}, or FIRSTUSER_OUTBOUND to outbox.")
    return value.get_secret_value()


MESSENGERS: Mapping[str, Callable[[Settings], Messenger]] = {
    "outbox": lambda settings: Outbox(settings.service.outbox_dir),
    "live": lambda settings: Live({"sms": _textbelt(settings), "email": _sendgrid(settings)}),
}
