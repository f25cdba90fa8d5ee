"""How messages reach people. One adapter, one file, one line in `MESSENGERS`."""

from collections.abc import Callable, Mapping

from api.core.errors import Refused
from api.core.ports import Messenger
from api.providers.messaging.outbox import Outbox
from api.settings import Settings

MESSENGERS: Mapping[str, Callable[[Settings], Messenger]] = {
    "outbox": lambda settings: Outbox(settings.service.outbox_dir),
}


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
