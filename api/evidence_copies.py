"""A copy of the ledger where nobody can change it: one a day, by a name that its content gives."""

import hashlib
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.evidence import exports, service
from api.core.evidence.chain import canonical
from api.core.evidence.exports import Export
from api.providers.evidence.bucket import Kept, LockedBucket


def name_of(export: Export) -> str:
    """`2026-11-22/evidence-9f3c….json`: the day of its newest record, and what it holds. Always the same."""
    digest = hashlib.sha256(canonical(export.manifest)).hexdigest()[:16]
    return f"{export.as_of[:10]}/evidence-{digest}.json"


def keep(bucket: LockedBucket, export: Export, now: datetime) -> Kept:
    """Put there unless it is there, and look at its lock. Raises `Rejected`, `Unavailable`."""
    return bucket.keep(name_of(export), exports.render(export, "json").encode(), now)


def due(bucket: LockedBucket, now: datetime) -> bool:
    """Whether today has no copy yet."""
    return not bucket.names(f"{now:%Y-%m-%d}/")


def read_whole(session: Session, now: datetime) -> Export:
    """The ledger with a checkpoint at its end."""
    service.checkpoint(session, now)
    return service.export(session)
