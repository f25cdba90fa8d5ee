"""Processes that go on with the database's login of the day: `turn` where somebody tells them (`LiveRings`),
`followed` where they look for themselves whenever they open or take a connection."""

from collections.abc import Sequence
from pathlib import Path

from api.core.crypto import Vault, data_keys
from api.core.errors import Refused
from api.db.address import DatabaseAddress, opens
from api.ring_file import RingFile, Turn
from api.settings import Settings
from api.settings.rings import DATA_KEY, DATABASE, rings


def turn(address: DatabaseAddress) -> Turn:
    """Raises `Refused` for a login that is not let in: the old one goes on being used."""

    def take_on(urls: Sequence[str]) -> None:
        if address.known != urls[0] and not opens(urls[0]):
            raise Refused("The new DATABASE_URL does not open the database.", fix="Look at its login.")
        address.turn(urls[0])

    return take_on


def followed(settings: Settings, file: Path | None, vault: Vault | None = None) -> DatabaseAddress:
    """Of the settings, which come from `file`; nothing is logged, a command's output is its answer. A `vault`
    goes on with the data key of the day by it."""
    known = rings(settings.platform, settings.service)
    address = DatabaseAddress(settings.platform.database_url.get_secret_value())
    turns: dict[str, list[Turn]] = {DATABASE: [turn(address)]}
    if vault:
        turns[DATA_KEY] = [lambda values: vault.turn(data_keys(*values))]
    address.look = RingFile(known, file, turns, logged=False).look
    return address
