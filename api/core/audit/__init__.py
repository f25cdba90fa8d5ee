"""Who did what to whom: one row per act, written in the act's own transaction."""

from api.core.audit.service import AuditedAct, newest, record

__all__ = ["AuditedAct", "newest", "record"]
