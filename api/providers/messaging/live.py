"""Messages to real people: each channel by its carrier."""

from collections.abc import Mapping

from api.core.errors import Refused
from api.core.ports import Messenger, OutgoingMessage


class Live:
    name = "live"

    def __init__(self, carriers: Mapping[str, Messenger]) -> None:
        """`carriers` by channel: `sms`, `email`."""
        self._carriers = carriers

    def send(self, message: OutgoingMessage) -> str:
        """The carrier's id. Raises `Refused` for a channel without one, and what the carrier raises."""
        carrier = self._carriers.get(message.channel)
        if carrier is None:
            raise Refused(f"There is no carrier for {message.channel}.")
        return carrier.send(message)
