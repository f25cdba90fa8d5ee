"""Which processes run with which versions: each says so itself, by fingerprints, in `ops.secret_readers`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from api.core.rotation import queries

SILENT = timedelta(seconds=45)
"""Who has said nothing for so long runs no more; a living one says so every ten seconds."""


@dataclass(frozen=True, slots=True)
class Reader:
    """`rings`: a secret's name → fingerprints of what is accepted, the first choice first."""

    process: str
    service: str
    rings: Mapping[str, Sequence[str]]
    seen_at: datetime

    def accepts(self, name: str, version: str) -> bool:
        return version in self.rings.get(name, ())

    def accepts_any(self, name: str, versions: Collection[str]) -> bool:
        return any(self.accepts(name, version) for version in versions)

    def prefers(self, name: str, version: str) -> bool:
        return list(self.rings.get(name, ()))[:1] == [version]


def note(
    session: Session,
    process: str,
    service: str,
    rings: Mapping[str, Sequence[str]],
    kinds: Mapping[str, str],
    now: datetime,
) -> None:
    """The process runs with `rings`. A secret that no rotation has made counts from now on, by its kind."""
    queries.note_reader(session, process, service, {name: list(ring) for name, ring in rings.items()}, now)
    for name, ring in rings.items():
        if name in kinds and not queries.versions(session, name):
            queries.put_version(
                session,
                {
                    "name": name,
                    "version": 1,
                    "kind": kinds[name],
                    "reference": ring[0],
                    "stage": "current",
                    "made_by": "set up",
                    "minted_at": now,
                    "current_at": now,
                },
            )


def forget(session: Session, process: str) -> None:
    queries.forget_reader(session, process)


def living(session: Session, name: str, now: datetime) -> list[Reader]:
    """Those that read the secret."""
    found = queries.readers(session, now - SILENT)
    return [Reader(row.process, row.service, row.rings, row.seen_at) for row in found if name in row.rings]
