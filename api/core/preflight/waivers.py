"""Waivers: asked for by one person, approved by another, for a week at most. The caller commits."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from api.core import audit
from api.core.errors import Conflict, NotFound, Refused
from api.core.evidence import service as evidence
from api.core.ids import new_id
from api.core.preflight import queries
from api.core.preflight.catalogue import CHECKS
from api.core.preflight.records import Waiver
from api.core.preflight.roles import same_name

LONGEST = timedelta(days=7)
STREAM = "waivers"
_REASON_LENGTH = 500


def check_request(check: str, reason: str, requester: str, length: timedelta) -> None:
    """Raises `Refused` saying what is wrong."""
    known = next((one for one in CHECKS if one.name == check), None)
    if known is None:
        named = ", ".join(one.name for one in CHECKS if one.waivable)
        raise Refused(f"There is no check {check!r}.", fix=f"Name one of: {named}.")
    if not known.waivable:
        raise Refused(f"{check} cannot be waived.", fix=known.fix, code="not_waivable")
    if not " ".join(reason.split()) or len(reason) > _REASON_LENGTH:
        raise Refused("A waiver needs a reason.", fix=f"Say why, in up to {_REASON_LENGTH} letters.")
    if not requester.strip():
        raise Refused("A waiver needs somebody who asks for it.", fix="Say who you are.")
    if not timedelta(0) < length <= LONGEST:
        raise Refused("A waiver lasts from a moment to seven days.", fix="Choose a shorter time.")


def request(
    session: Session, check: str, reason: str, requester: str, length: timedelta, now: datetime
) -> str:
    """The waiver's id; it holds once somebody else approves it. Raises `Refused`. Audited."""
    check_request(check, reason, requester, length)
    waiver_id = new_id("wvr")
    values = {"check_name": check, "reason": " ".join(reason.split()), "requester": requester.strip()}
    moments = {"requested_at": now, "expires_at": now + length}
    queries.add_waiver(session, {"id": waiver_id, **values, **moments})
    audit.record(session, requester, "waivers.request", waiver_id, now, values)
    body = {"waiver": waiver_id, **values, "expires_at": (now + length).isoformat()}
    evidence.append(session, STREAM, "requested", body, now)
    return waiver_id


def approve(session: Session, waiver_id: str, approver: str, now: datetime) -> None:
    """Raises `NotFound`, `Conflict` (over, or approved already), `Refused` (by who asked). Audited."""
    found = _open(session, waiver_id, now)
    if found["approver"] is not None:
        raise Conflict("The waiver has been approved already.", code="waiver_approved")
    if not approver.strip() or same_name(approver, found["requester"]):
        raise Refused(
            "Whoever asked for a waiver cannot approve it.", fix="Ask somebody else.", code="own_waiver"
        )
    queries.approve_waiver(session, waiver_id, approver.strip(), now)
    audit.record(session, approver, "waivers.approve", waiver_id, now, {"check": found["check_name"]})
    _append(session, "approved", found, approver.strip(), now)


def end(session: Session, waiver_id: str, by: str, now: datetime) -> None:
    """Early. Raises `NotFound`, `Conflict`. Audited."""
    found = _open(session, waiver_id, now)
    queries.end_waiver(session, waiver_id, now)
    audit.record(session, by, "waivers.end", waiver_id, now, {"check": found["check_name"]})
    _append(session, "ended", found, by, now)


def current(session: Session, now: datetime) -> Sequence[Waiver]:
    """Asked for or approved, and not over."""
    return [_waiver(row) for row in queries.waivers(session, now)]


def _append(session: Session, kind: str, found: RowMapping, by: str, now: datetime) -> None:
    body = {"waiver": found["id"], "check_name": found["check_name"], "by": by}
    evidence.append(session, STREAM, kind, body, now)


def _open(session: Session, waiver_id: str, now: datetime) -> RowMapping:
    found = queries.waiver(session, waiver_id)
    if found is None:
        raise NotFound(f"There is no waiver {waiver_id!r}.", fix="`firstuser preflight waivers` lists them.")
    if found["ended_at"] is not None or found["expires_at"] <= now:
        raise Conflict("The waiver is over.", fix="Ask for a new one.", code="waiver_over")
    return found


def _waiver(row: RowMapping) -> Waiver:
    return Waiver(
        id=row["id"],
        check=row["check_name"],
        reason=row["reason"],
        requester=row["requester"],
        approver=row["approver"],
        requested_at=row["requested_at"],
        expires_at=row["expires_at"],
        ended_at=row["ended_at"],
    )
