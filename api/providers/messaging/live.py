"""Messages to real people: each channel by its carrier."""

from collections.abc import Mapping, Sequence

from api.core.errors import Refused
from api.core.ports import AccessChecker, Messenger, OutgoingMessage, Permission


class Live:
    name = "live"

    def __init__(self, carriers: Mapping[str, Messenger]) -> None:
        """`carriers` by channel: `sms`, `email`."""
        self._carriers = carriers

    def check_access(self) -> Sequence[Permission]:
        return [
            Permission(f"{carrier.name}: {one.what}", one.ok, one.observed, one.fix)
            for carrier in self._carriers.values()
            if isinstance(carrier, AccessChecker)
            for one in carrier.check_access()
        ]

    def send(self, message: OutgoingMessage) -> str:
        """The carrier's id. Raises `Refused` for a channel without one, and what the carrier raises."""
        carrier = self._carriers.get(message.channel)
        if carrier is None:
            raise Refused(f"There is no carrier for {message.channel}.")
        return carrier.send(message)
