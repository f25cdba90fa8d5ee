"""The local channel: alerts lie in the outbox, beside the login codes, and are read on its page."""

from pathlib import Path

from api.core.alerts.messages import AlertMessage
from api.core.errors import Unavailable
from api.core.ports import OutgoingMessage
from api.providers.messaging.outbox import Outbox

TO = "ops"
_LOOKED_THROUGH = 200


class Local:
    kind = "local"

    def __init__(self, folder: Path) -> None:
        self._outbox = Outbox(folder)

    @property
    def fingerprint(self) -> str:
        return self.kind

    def send(self, message: AlertMessage) -> str:
        try:
            return self._outbox.send(OutgoingMessage("alert", TO, message.headline, message.text()))
        except OSError as error:
            said = f"The outbox takes no message ({type(error).__name__})."
            raise Unavailable(said, provider=self.kind, operation="send") from None

    def read_back(self, sent_id: str) -> bool | None:
        return any(found.id == sent_id for found in self._outbox.messages(_LOOKED_THROUGH))
