"""What evidence is signed with, as settings hold it now: a rotation takes effect without a restart."""

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from api.core.evidence.signing import SigningKey, sign_with
from api.settings import EvidenceSettings, Settings


@dataclass
class Keys:
    """The current key, read anew when the file was replaced. `()` raises `Refused` for one that is none."""

    settings: EvidenceSettings
    file: Path | None = None
    _stamp: tuple[int, int] | None = field(default=None, init=False)

    def __call__(self) -> SigningKey | None:
        self._look()
        return read(self.settings)

    def _look(self) -> None:
        if self.file is None or not self.file.is_file():
            return
        seen = self.file.stat()
        stamp = (seen.st_mtime_ns, seen.st_ino)
        if stamp != self._stamp:
            self.settings = EvidenceSettings.read(self.file)
        self._stamp = stamp


def read(settings: EvidenceSettings) -> SigningKey | None:
    """Raises `Refused` for a key that is none."""
    encoded = settings.key.get_secret_value() if settings.key else ""
    return SigningKey.read(encoded) if encoded else None


def sign(engine: Engine, settings: Settings, file: Path | None = None) -> None:
    """Evidence that is written through `engine` is signed, if there is a key."""
    sign_with(engine, Keys(settings.evidence, file))
