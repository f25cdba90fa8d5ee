"""The columns of a row that never change, and the one number that stands for them.

A fingerprint of a table is the XOR of its rows' numbers: one pass, no sort, and whoever removes a row for
good can say by how much the fingerprint has to differ. No two rows are alike in these columns, so none
cancel out.
"""

from collections.abc import Mapping, Sequence

IMMUTABLE_COLUMNS: Mapping[str, Sequence[str]] = {
    "founders": ("id", "created_at"),
    "spaces": ("id", "slug", "owner_id", "created_at"),
    "integrations": ("id", "space_id", "created_at"),
    "api_keys": ("id", "integration_id", "secret_sha256", "created_at"),
    "entries": (
        "id", "seq", "space_id", "integration_id", "external_user_id", "referral_code", "created_at",
    ),
    "grants": ("id", "integration_id", "entry_id", "external_user_id", "created_at"),
    "conversations": ("id", "space_id", "entry_id", "created_at"),
    "messages": ("id", "conversation_id", "seq", "sender", "client_id", "text", "created_at"),
    "tombstones": ("user_id", "entry_id", "space_id", "deleted_at", "deleted_by"),
    "flag_changes": ("id", "key", "scope", "before", "after", "reason", "changed_by", "changed_at"),
    "webhook_secrets": ("id", "integration_id", "created_at", "created_by"),
    "webhook_endpoints": ("id", "integration_id", "registered", "created_at"),
    "webhook_messages": ("id", "integration_id", "type", "body", "user_id", "created_at"),
    "webhook_deliveries": ("id", "message_id", "endpoint_id"),
    "webhook_attempts": (
        "delivery_id", "message_id", "endpoint_id", "number", "outcome", "at", "latency_ms", "status",
        "failure",
    ),
    "webhook_replays": ("id", "integration_id", "endpoint_id", "since", "until", "created_by", "created_at"),
    "alerts": ("id", "identity", "env", "rule", "scope", "app_id", "opened_at"),
    "alert_occurrences": ("id", "alert_id", "at", "metadata"),
    "alert_messages": ("id", "seq", "alert_id", "kind"),
    "alert_ack_codes": ("code_sha256", "alert_id", "message_id", "expires_at"),
    "alert_silences": ("id", "rule", "scope", "app_id", "owner", "reason", "created_at"),
}  # fmt: skip
"""Of every table whose rows are written once; each has `created_xid`, the transaction that wrote the row."""


def row_hash(table: str, alias: str) -> str:
    """The SQL expression of a row's 64-bit number, the row being called `alias`."""
    columns = ", ".join(f"{alias}.{column}" for column in IMMUTABLE_COLUMNS[table])
    return f"hash_record_extended(row({columns}), 0)"
