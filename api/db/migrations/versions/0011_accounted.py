"""Webhooks and alerts that a person's deletion reaches, and that a restored copy can be compared by.

A message says which user it is about. What is kept of a user is looked for in the index of the integration's
messages, which holds `user_id` without being ordered by it: an index by random ids would cost every event a
page of its own, and people are deleted rarely.

`created_xid` is as in the product's other tables; rows that are there already count as written long ago. A
delivered delivery has no row: its attempt says when it was made (`delivery_xid`).
"""

from alembic import op

revision = "0011_accounted"
down_revision = "0010_signed_evidence"
branch_labels = None
depends_on = None

WRITTEN_ONCE = (
    "webhook_endpoints",
    "webhook_messages",
    "webhook_deliveries",
    "webhook_attempts",
    "webhook_replays",
    "alerts",
    "alert_occurrences",
    "alert_messages",
    "alert_ack_codes",
    "alert_silences",
)
_LONG_AGO = "'3'"  # the first transaction of a cluster: every snapshot sees it

USERS = """
alter table webhook_messages add column user_id text;
update webhook_messages set user_id = convert_from(body, 'UTF8')::json -> 'data' ->> 'user_id'
    where type <> 'webhook.test';
drop index ix_webhook_messages_integration_id;
create index ix_webhook_messages_integration_id on webhook_messages (integration_id, id) include (user_id);
drop index ix_webhook_attempts_endpoint_id;
create index ix_webhook_attempts_endpoint_id on webhook_attempts (endpoint_id, delivery_id)
    include (message_id)"""

NOBODY = """
drop index ix_webhook_messages_integration_id;
create index ix_webhook_messages_integration_id on webhook_messages (integration_id, id);
drop index ix_webhook_attempts_endpoint_id;
create index ix_webhook_attempts_endpoint_id on webhook_attempts (endpoint_id, delivery_id);
alter table webhook_messages drop column user_id"""


def publish(columns: str, values: str) -> str:
    """The function as in 0004, with what else a message holds."""
    return f"""
create or replace function publish_webhook(integration text, kind text, moment timestamptz, facts json)
returns text language plpgsql as $$
declare message uuid;
begin
    if not exists (
        select from webhook_endpoints
        where integration_id = integration and state <> 'removed'
        and (event_types = '{{}}' and kind <> all ('{{user.live,user.left}}') or kind = any(event_types))
    ) or current_setting('firstuser.webhooks', true) = 'off' then
        return null;
    end if;
    message := uuidv7();
    insert into webhook_messages (id, integration_id, type, body, created_at{columns})
    select message, integration, kind, convert_to(row_to_json(event)::text, 'UTF8'), now(){values}
    from (select kind as type,
                 to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24\\:MI\\:SS.MS"Z"') as timestamp,
                 facts as data) as event;
    insert into webhook_deliveries (message_id, endpoint_id, next_attempt_at)
    select message, id, greatest(least(moment, now()), (
        select watermark from webhook_lanes where endpoint_id = id order by claim_id desc limit 1
    )) from webhook_endpoints
    where integration_id = integration and state <> 'removed'
    and (event_types = '{{}}' and kind <> all ('{{user.live,user.left}}') or kind = any(event_types));
    return 'msg_' || replace(message::text, '-', '');
end $$"""  # noqa: S608  literals of this file


def upgrade() -> None:
    op.execute(USERS)
    op.execute(publish(", user_id", ", facts ->> 'user_id'"))
    for table in WRITTEN_ONCE:
        _add_xid(table, "created_xid", "pg_current_xact_id()")
    _add_xid("webhook_attempts", "delivery_xid", "pg_current_xact_id()")


def downgrade() -> None:
    op.execute("alter table webhook_attempts drop column delivery_xid")
    for table in WRITTEN_ONCE:
        op.execute(f"alter table {table} drop column created_xid")
    op.execute(publish("", ""))
    op.execute(NOBODY)


def _add_xid(table: str, column: str, default: str) -> None:
    """Without writing the table anew."""
    op.execute(f"alter table {table} add column {column} xid8 not null default {_LONG_AGO}")
    op.execute(f"alter table {table} alter column {column} set default {default}")
