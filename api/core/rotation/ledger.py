"""What is on record of a rotation: in its row, and in the ledger of evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from api.core.evidence import service as evidence
from api.core.rotation.kinds import Proof
from api.core.rotation.models import RotationRow
from api.core.rotation.steps import Step

EVIDENCE_STREAM = "rotations"


def note(
    session: Session, row: RotationRow, step: Step, proofs: Sequence[Proof], now: datetime, kind: str
) -> None:
    """Into the row and into the ledger: who asked, which versions, what was tried."""
    said = [proof.to_json(step.value, now) for proof in proofs]
    fresh = {(one["step"], one["name"]) for one in said}
    row.proofs = [one for one in row.proofs if (one["step"], one["name"]) not in fresh] + said
    body: dict[str, Any] = {
        "rotation_id": row.id,
        "secret": row.name,
        "mode": row.mode,
        "from_version": row.from_version,
        "to_version": row.to_version,
        "asked_by": row.asked_by,
        "reason": row.reason,
        "detail": row.detail,
        "proofs": said,
    }
    evidence.append(session, EVIDENCE_STREAM, kind, body, now)
