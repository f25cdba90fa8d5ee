"""Which secrets there are, how old they are, and which are due: for the Ops page, preflight and the flow."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api.core.rotation import cadence
from api.core.rotation.cadence import Dated, Held
from api.core.rotation.kinds import Kind


def inventory(session: Session, kinds: Mapping[str, Kind], now: datetime) -> list[Held]:
    """Every secret of every kind as it stands. May raise `ProviderError`: stores are asked."""
    return [held for kind in kinds.values() for held in kind.secrets(session, now)]


def standing(session: Session, kinds: Mapping[str, Kind], now: datetime) -> Sequence[Dated]:
    """With ages and due dates, what is due first before the rest."""
    return cadence.table(inventory(session, kinds, now), now)


def overdue(session: Session, kinds: Mapping[str, Kind], now: datetime) -> Sequence[Dated]:
    """What preflight fails on and the flow rotates; empty when all is well."""
    return [row for row in standing(session, kinds, now) if row.due(now)]
