"""Test events: prepared in one transaction, sent in none, noted in another: as the delivery that each is, and
in the audit trail. A test is tried once; what failed is given up, and can be sent again as any other.

At most `MAX_A_MINUTE` for each integration, whoever asks: a test is no way to hammer a third party.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from api.core import audit
from api.core.audit import AuditedAct
from api.core.crypto import Vault
from api.core.errors import Conflict
from api.core.webhooks import events, history_queries, secrets, signing
from api.core.webhooks.attempts import Attempt, Failure

MAX_A_MINUTE = 5
_WINDOW = timedelta(minutes=1)
_ASKED, _DONE = "webhooks.test", "webhooks.tested"


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be sent: exactly these headers and bytes."""

    integration_id: str
    actor: str
    url: str
    message_id: str
    headers: dict[str, str]
    body: bytes
    message: UUID
    at: datetime


def wait(session: Session, integration_id: str, now: datetime) -> int:
    """Seconds until the next test may be sent; 0 for now."""
    asked = audit.newest(session, integration_id, _ASKED, MAX_A_MINUTE)
    if len(asked) < MAX_A_MINUTE or asked[-1].at <= now - _WINDOW:
        return 0
    return max(1, round((asked[-1].at + _WINDOW - now).total_seconds()))


def prepare(
    session: Session,
    vault: Vault,
    integration_id: str,
    url: str | None,
    actor: str,
    now: datetime,
    fallback: Iterable[str] | None,
) -> Trial:
    """Raises `Conflict` (`webhook_url_missing`, `signing_secret_missing`)."""
    if not url:
        raise Conflict(
            "The integration has no webhook address.",
            fix="Register one on the Integrate page.",
            code="webhook_url_missing",
        )
    keys = secrets.valid(session, vault, integration_id, now, fallback)
    if not keys:
        raise Conflict(
            "The integration has no signing secret.",
            fix="Make one with Rotate Secret on the Integrate page.",
            code="signing_secret_missing",
        )
    message = history_queries.new_message_id(session)
    message_id = f"msg_{message.hex}"
    body = events.body(events.TEST, now, {"integration_id": integration_id, "message_id": message_id})
    headers = signing.headers(keys, message_id, now, body)
    audit.record(session, actor, _ASKED, integration_id, now, {"message_id": message_id, "url": url})
    return Trial(integration_id, actor, url, message_id, headers, body, message, now)


def note(session: Session, trial: Trial, attempt: Attempt, now: datetime) -> str | None:
    """How it went: the delivery's id; None where none was made, since nothing could be sent at all, or the
    address has changed meanwhile."""
    detail = {
        "message_id": trial.message_id,
        "url": trial.url,
        "delivered": attempt.delivered,
        "status_code": attempt.status_code,
        "latency_ms": attempt.latency_ms,
        "failure": attempt.failure,
    }
    audit.record(session, trial.actor, _DONE, trial.integration_id, now, detail)
    if attempt.failure in (Failure.HELD, Failure.ADDRESS_BLOCKED):
        return None
    made = history_queries.add_tried(
        session,
        {
            "message": trial.message,
            "integration": trial.integration_id,
            "url": trial.url,
            "type": events.TEST,
            "body": trial.body,
            "at": trial.at,
            "state": "delivered" if attempt.delivered else "exhausted",
            "latency_ms": attempt.latency_ms,
            "status": attempt.status_code,
            "failure": attempt.failure,
            "detail": attempt.detail,
            "address": attempt.address,
            "response": attempt.excerpt,
        },
    )
    return f"dlv_{made.hex}" if made else None


def last(session: Session, integration_id: str, limit: int) -> Sequence[AuditedAct]:
    """Newest first; `detail` as `note` wrote it."""
    return audit.newest(session, integration_id, _DONE, limit)
