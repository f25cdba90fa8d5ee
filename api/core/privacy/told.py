"""What partners were told of a person by webhook, and what they answered.

Messages hold our random ids and nothing else of a person, but the start of an answer may hold anything. Both
are found by walking the index of one integration's messages and one of its attempts, so that events cost no
index of their own: half a second for each million that is kept (30 days).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.fingerprints import row_hash

# The inner select reads nothing but the index.
_THEIRS = """
id = any(array(select id from webhook_messages where integration_id = :integration and user_id = :user))
"""
_HOLD = text(f"""
select id from webhook_messages where {_THEIRS} and type <> 'user.deleted' for update
""")  # noqa: S608  literals of this file
_GONE = "returning gone.id::text as id, gone.created_xid::text as xid, ({hash})::text as hash"
_PLACES = """
select endpoint_id, delivery_id from webhook_attempts
where endpoint_id = any(array(select id from webhook_endpoints where integration_id = :integration))
and message_id = any(cast(:messages as uuid[])) group by endpoint_id, delivery_id
"""
_FORGET_ANSWERS = text(f"""
with places as materialized ({_PLACES})
update webhook_attempts as a set response = ''
from places as p where a.endpoint_id = p.endpoint_id and a.delivery_id = p.delivery_id and a.response <> ''
""")  # noqa: S608  literals of this file
_WITHDRAW = text(f"""
delete from webhook_deliveries as gone where message_id = any(cast(:messages as uuid[]))
{_GONE.format(hash=row_hash("webhook_deliveries", "gone"))}
""")  # noqa: S608  literals of this file
_DROP = text(f"""
delete from webhook_messages as gone where id = any(cast(:messages as uuid[]))
{_GONE.format(hash=row_hash("webhook_messages", "gone"))}
""")  # noqa: S608  literals of this file

_TOLD = text(f"""
select id, type, convert_from(body, 'UTF8') as body, created_at from webhook_messages
where {_THEIRS} order by id
""")  # noqa: S608  literals of this file
_ANSWERS = text(f"""
with places as materialized ({_PLACES})
select a.message_id, a.at, a.status, a.response from webhook_attempts as a
join places as p on a.endpoint_id = p.endpoint_id and a.delivery_id = p.delivery_id
where a.response <> '' order by a.at
""")  # noqa: S608  literals of this file


def told(session: Session, person: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each message about the person with the answers to it, as of an export."""
    messages = session.execute(_TOLD, person).mappings().all()
    answers: dict[Any, list[dict[str, Any]]] = {row["id"]: [] for row in messages}
    for row in session.execute(_ANSWERS, {**person, "messages": list(answers)}).mappings() if answers else ():
        said = {"at": row["at"].isoformat(), "status": row["status"], "response": row["response"]}
        answers[row["message_id"]].append(said)
    return [
        {
            "id": f"msg_{row['id'].hex}",
            "type": row["type"],
            "body": row["body"],
            "created_at": row["created_at"],
            "answers": answers[row["id"]],
        }
        for row in messages
    ]


def withdraw(session: Session, person: Mapping[str, Any]) -> Mapping[str, list[dict[str, str]]]:
    """Nothing is sent about the person any more but that they were deleted, and no answer is kept. That, and
    how often, something was sent stays. For when the entry is gone already: whatever was about to publish
    has done so, or finds nobody. What is on its way settles first, or finds nothing to settle. Returns for
    each fingerprinted table the rows that went: `{id, xid, hash}`."""
    messages = session.scalars(_HOLD, person).all()
    if not messages:
        return {}
    given = {**person, "messages": list(messages)}
    deliveries = session.execute(_WITHDRAW, given).mappings().all()
    session.execute(_FORGET_ANSWERS, given)
    dropped = session.execute(_DROP, given).mappings().all()
    gone = {"webhook_messages": dropped, "webhook_deliveries": deliveries}
    return {table: [dict(row) for row in rows] for table, rows in gone.items() if rows}  # type: ignore[misc]
