"""SQL of preflights, owners, waivers and rehearsals. Functions take the session first and never commit."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

# What a GO rests on beside its results: whoever answers, what was waived, how drill and rehearsal ended last,
# how the switches of the whole service stand, and that nothing has tripped since.
_FACTS = text("""
    select jsonb_build_object(
        'owners', (select jsonb_agg(jsonb_build_array(role, id, confirmed_at) order by role) from ops.owners),
        'waivers', (select jsonb_agg(id order by id) from ops.waivers
                     where approver is not null and ended_at is null and expires_at > :now),
        'drill', (select id from ops.drills where finished_at is not null order by finished_at desc limit 1),
        'rehearsal', (select id from ops.rehearsals where finished_at is not null
                       order by finished_at desc limit 1),
        'switches', (select max(id) from flag_changes where scope = ''),
        'incident', (select max(tripped_at) from incident_episodes where mode <> 'dry-run'))
""")


def facts(session: Session, now: datetime) -> dict[str, Any]:
    return session.execute(_FACTS, {"now": now}).scalar_one()


_CURRENT = "revoked_at is null and (expires_at is null or expires_at > :now)"
_OURS = "select integrations.id from integrations join spaces on spaces.id = space_id where not synthetic"
_NEWEST = {
    table: text(
        f"select integration_id, max(created_at) from {table} where {_CURRENT}"  # noqa: S608  literals above
        f" and integration_id in ({_OURS}) group by integration_id order by 2"
    )
    for table in ("api_keys", "webhook_secrets")
}


def newest_secrets(session: Session, table: str, now: datetime) -> Sequence[tuple[str, datetime]]:
    """(integration, when its newest working key or secret was made), the oldest first."""
    return [(name, made) for name, made in session.execute(_NEWEST[table], {"now": now})]


def last_incident(session: Session) -> datetime | None:
    query = "select max(tripped_at) from incident_episodes where mode <> 'dry-run'"
    return session.execute(text(query)).scalar()


def add_preflight(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(
        text(
            "insert into ops.preflights (id, flow_run_id, trigger, status, target, release, configuration,"
            " facts, checks, not_checked, started_at) values (:id, :flow_run_id, :trigger, 'running',"
            " cast(:target as jsonb), :release, :configuration, :facts, cast(:checks as jsonb),"
            " cast(:not_checked as jsonb), :started_at)"
        ),
        _plain(values),
    )


def give_up_running(session: Session, why: str, now: datetime) -> None:
    """Rows whose process has ended without a verdict."""
    session.execute(
        text(
            "update ops.preflights set status = 'error', headline = :why, finished_at = :now,"
            " next_step = 'Run the preflight again.' where status = 'running'"
        ),
        {"why": why, "now": now},
    )


def end(session: Session, preflight_id: str, values: Mapping[str, Any]) -> None:
    session.execute(
        text(
            "update ops.preflights set status = :status, verdict = :verdict, headline = :headline,"
            " reasons = cast(:reasons as jsonb), next_step = :next_step, waivers = cast(:waivers as jsonb),"
            " facts = :facts, finished_at = :finished_at, expires_at = :expires_at,"
            " evidence_id = :evidence_id"
            " where id = :id"
        ),
        _plain(values) | {"id": preflight_id},
    )


def preflight(session: Session, preflight_id: str, *, lock: bool = False) -> RowMapping | None:
    if lock:
        session.execute(text("select 1 from ops.preflights where id = :id for update"), {"id": preflight_id})
    query = "select * from ops.preflights where id = :id"
    return session.execute(text(query), {"id": preflight_id}).mappings().one_or_none()


def by_flow_run(session: Session, flow_run_id: str) -> RowMapping | None:
    query = "select * from ops.preflights where flow_run_id = :run order by started_at desc limit 1"
    return session.execute(text(query), {"run": flow_run_id}).mappings().one_or_none()


def recent(session: Session, limit: int) -> Sequence[RowMapping]:
    query = "select * from ops.preflights order by started_at desc limit :limit"
    return session.execute(text(query), {"limit": limit}).mappings().all()


def newest_decided(session: Session) -> RowMapping | None:
    query = "select * from ops.preflights where status = 'decided' order by finished_at desc limit 1"
    return session.execute(text(query)).mappings().one_or_none()


def note_result(
    session: Session, preflight_id: str, name: str, result: Mapping[str, Any] | None, now: datetime
) -> None:
    session.execute(
        text(
            "insert into ops.preflight_results (preflight_id, name, began_at, result)"
            " values (:id, :name, :now, cast(:result as jsonb))"
            " on conflict (preflight_id, name) do update set result = excluded.result"
        ),
        {"id": preflight_id, "name": name, "now": now, "result": json.dumps(result) if result else None},
    )


def results(session: Session, preflight_id: str) -> Sequence[RowMapping]:
    query = "select name, began_at, result from ops.preflight_results where preflight_id = :id"
    return session.execute(text(query), {"id": preflight_id}).mappings().all()


def add_sign_off(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(
        text(
            "insert into ops.sign_offs (id, preflight_id, approved, by_id, by_name, via, note, release,"
            " configuration, facts, at, evidence_id) values (:id, :preflight_id, :approved, :by_id, :by_name,"
            " :via, :note, :release, :configuration, :facts, :at, :evidence_id)"
        ),
        values,
    )


def sign_off(session: Session, preflight_id: str) -> RowMapping | None:
    query = "select * from ops.sign_offs where preflight_id = :id"
    return session.execute(text(query), {"id": preflight_id}).mappings().one_or_none()


def owners(session: Session) -> Sequence[RowMapping]:
    query = "select * from ops.owners order by array_position(array['incident','rollback','release'], role)"
    return session.execute(text(query)).mappings().all()


def owner(session: Session, role: str) -> RowMapping | None:
    query = "select * from ops.owners where role = :role for update"
    return session.execute(text(query), {"role": role}).mappings().one_or_none()


def put_owner(session: Session, values: Mapping[str, Any]) -> None:
    """Whoever had the role before has it no more; what they confirmed is theirs."""
    session.execute(text("delete from ops.owners where role = :role"), {"role": values["role"]})
    session.execute(
        text(
            "insert into ops.owners (role, id, name, founder_id, channel, address_cipher, address_masked,"
            " same_reason, assigned_by, assigned_at) values (:role, :id, :name, :founder_id, :channel,"
            " :address_cipher, :address_masked, :same_reason, :assigned_by, :assigned_at)"
        ),
        values,
    )


def drop_owner(session: Session, role: str) -> bool:
    dropped = session.execute(text("delete from ops.owners where role = :role returning 1"), {"role": role})
    return dropped.scalar() is not None


def call_owner(session: Session, role: str, code: bytes, expires_at: datetime, now: datetime) -> None:
    session.execute(
        text(
            "update ops.owners set code_sha256 = :code, code_expires_at = :expires_at, called_at = :now"
            " where role = :role"
        ),
        {"role": role, "code": code, "expires_at": expires_at, "now": now},
    )


def owner_by_code(session: Session, code: bytes, *, lock: bool = False) -> RowMapping | None:
    if lock:
        session.execute(text("select 1 from ops.owners where code_sha256 = :code for update"), {"code": code})
    query = "select * from ops.owners where code_sha256 = :code"
    return session.execute(text(query), {"code": code}).mappings().one_or_none()


def confirm_owner(session: Session, role: str, now: datetime) -> None:
    session.execute(
        text(
            "update ops.owners set confirmed_at = :now, code_sha256 = null, code_expires_at = null"
            " where role = :role"
        ),
        {"role": role, "now": now},
    )


def add_waiver(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(
        text(
            "insert into ops.waivers (id, check_name, reason, requester, requested_at, expires_at)"
            " values (:id, :check_name, :reason, :requester, :requested_at, :expires_at)"
        ),
        values,
    )


def waiver(session: Session, waiver_id: str) -> RowMapping | None:
    query = "select * from ops.waivers where id = :id for update"
    return session.execute(text(query), {"id": waiver_id}).mappings().one_or_none()


def waivers(session: Session, now: datetime) -> Sequence[RowMapping]:
    """Asked for or approved, and not over."""
    query = "select * from ops.waivers where ended_at is null and expires_at > :now order by requested_at"
    return session.execute(text(query), {"now": now}).mappings().all()


def approve_waiver(session: Session, waiver_id: str, approver: str, now: datetime) -> None:
    session.execute(
        text("update ops.waivers set approver = :approver, approved_at = :now where id = :id"),
        {"id": waiver_id, "approver": approver, "now": now},
    )


def end_waiver(session: Session, waiver_id: str, now: datetime) -> None:
    session.execute(
        text("update ops.waivers set ended_at = :now where id = :id"), {"id": waiver_id, "now": now}
    )


def add_rehearsal(session: Session, values: Mapping[str, Any]) -> None:
    session.execute(
        text(
            "insert into ops.rehearsals (id, flow_run_id, service, of_release, to_release, home, back_to,"
            " status, step, started_at) values (:id, :flow_run_id, :service, :of_release, :to_release, :home,"
            " :back_to, 'running', :step, :started_at)"
        ),
        values,
    )


def change_rehearsal(session: Session, rehearsal_id: str, values: Mapping[str, Any]) -> None:
    """`values` are columns of ours, named in code."""
    named = ", ".join(f"{name} = :{name}" for name in values)
    session.execute(
        text(f"update ops.rehearsals set {named} where id = :id"),  # noqa: S608
        {**values, "id": rehearsal_id},
    )


def rehearsal(session: Session, rehearsal_id: str) -> RowMapping | None:
    query = "select * from ops.rehearsals where id = :id"
    return session.execute(text(query), {"id": rehearsal_id}).mappings().one_or_none()


def rehearsals(session: Session, limit: int) -> Sequence[RowMapping]:
    query = "select * from ops.rehearsals order by started_at desc limit :limit"
    return session.execute(text(query), {"limit": limit}).mappings().all()


def rehearsed(session: Session) -> RowMapping | None:
    query = "select * from ops.rehearsals where status = 'passed' order by finished_at desc limit 1"
    return session.execute(text(query)).mappings().one_or_none()


def rehearsing(session: Session) -> Sequence[RowMapping]:
    """Those that never ended: what they did to staging has to be undone."""
    return session.execute(text("select * from ops.rehearsals where status = 'running'")).mappings().all()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value) if isinstance(value, (dict, list)) else value
        for name, value in values.items()
    }
