"""How far back a fingerprint looks into tables that grow without end, or whose old rows are dropped.

It covers a week, which no pruning reaches, and of webhooks the newest `MESSAGES` at most, with their
deliveries and attempts: so it takes as long with millions of them as with thousands, and a copy that was cut
short lacks the newest. The bound is kept with the fingerprint, and a copy is compared from there on.

What was delivered since the fingerprint has no row any more, but an attempt that says so: a delivery that is
neither open nor given up nor delivered is a loss.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.fingerprints import IMMUTABLE_COLUMNS, row_hash

MESSAGES = 20_000
_WEEK = timedelta(days=7)

_NEWEST = text("select cast(id as text) as found from webhook_messages order by id desc offset :most limit 1")
_BY_TIME = "(select * from {table} where {column} >= cast(:since as timestamptz))"
_OF_ALERTS = """(
    select part.* from {table} as part join alerts on alerts.id = part.alert_id
    where alerts.opened_at >= cast(:since as timestamptz))"""
_BY_ID = "(select * from {table} where id >= cast(:since as uuid))"
_ATTEMPTS = """(
    select tried.* from webhook_endpoints cross join lateral (
        select * from webhook_attempts
        where endpoint_id = webhook_endpoints.id and delivery_id >= cast(:since as uuid)
        and at >= uuid_extract_timestamp(cast(:since as uuid)) - interval '1 day'
    ) as tried)"""
_ROWS: Mapping[str, str] = {
    "webhook_messages": _BY_ID.format(table="webhook_messages"),
    "webhook_deliveries": _BY_ID.format(table="webhook_deliveries"),
    "webhook_attempts": _ATTEMPTS,
    "alerts": _BY_TIME.format(table="alerts", column="opened_at"),
    "alert_occurrences": _BY_TIME.format(table="alert_occurrences", column="at"),
    "alert_messages": _OF_ALERTS.format(table="alert_messages"),
    "alert_ack_codes": _OF_ALERTS.format(table="alert_ack_codes"),
    "alert_silences": _BY_TIME.format(table="alert_silences", column="created_at"),
}
_DELIVERED = text(f"""
    select count(*), coalesce(bit_xor({row_hash("webhook_deliveries", "kept")}), 0)
      from (select *, delivery_id as id from {_ATTEMPTS} as tried) as kept
     where outcome = 'delivered'
       and pg_visible_in_snapshot(delivery_xid, cast(:snapshot as pg_snapshot))
       and not pg_visible_in_snapshot(created_xid, cast(:snapshot as pg_snapshot))
""")  # noqa: S608  literals of this file


def rows(table: str) -> str:
    """What to select from, given `since`."""
    if table not in IMMUTABLE_COLUMNS:
        raise ValueError(table)
    return _ROWS.get(table, f"public.{table}")


def since(session: Session, table: str, at: datetime) -> str | None:
    """Where a fingerprint that is taken now begins; None for a table that is covered whole."""
    if table not in _ROWS:
        return None
    if not table.startswith("webhook_"):
        return (at - _WEEK).isoformat()
    newest = session.scalar(_NEWEST, {"most": MESSAGES})
    week = _first_id(at - _WEEK)
    return max(newest, week) if newest else week


def delivered_since(session: Session, snapshot: str, since: str | None) -> tuple[int, int]:
    """(deliveries, XOR of their hashes) that `snapshot` could see and that have arrived after it."""
    number, digest = session.execute(_DELIVERED, {"snapshot": snapshot, "since": since}).one()
    return number, digest


def _first_id(moment: datetime) -> str:
    """No version 7 UUID of that moment or later is smaller."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
