"""Who may read, from afar, the outbox of a service that serves a restored copy: whoever holds the data key,
without which the copy cannot be read anyway. The pass is good for one copy."""

from collections.abc import Sequence

from api.core.crypto import Signer

PATH = "/api/drill/outbox"


def pass_for(data_keys: Sequence[str], copy: str) -> str:
    return _signer(data_keys).sign(copy).hex()


def admits(data_keys: Sequence[str], copy: str, shown: str) -> bool:
    try:
        return _signer(data_keys).verify(copy, bytes.fromhex(shown))
    except ValueError:
        return False


def _signer(data_keys: Sequence[str]) -> Signer:
    return Signer(data_keys, "drill-outbox")
