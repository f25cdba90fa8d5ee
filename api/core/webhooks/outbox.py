"""Publishing an event in the caller's transaction: the message, a delivery to each endpoint that wants it.

Changes of rows publish themselves, by triggers of the database; this is for what is no change of a row.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_PUBLISH = text("select publish_webhook(:integration, :type, :at, cast(:data as json))")


def publish(
    session: Session, integration_id: str, type: str, data: Mapping[str, object], now: datetime
) -> str | None:
    """The message's id; None where no endpoint wants it. `data` holds ids, not personal data."""
    given = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return session.scalar(_PUBLISH, {"integration": integration_id, "type": type, "at": now, "data": given})
