"""A preflight's life in `ops.preflights`. Each function is one transaction's worth; the caller commits.

begun with what it will check → results as they come → decided with its evidence → signed off, as long as it
stands. A GO is about a release, a configuration and the facts it rests on; any other of them voids it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from api.core import audit
from api.core.errors import Conflict, NotFound, Refused
from api.core.evidence import service as evidence
from api.core.evidence.chain import canonical
from api.core.ids import new_id
from api.core.preflight import owners, queries
from api.core.preflight.records import Binding, Check, Decision, Result, Role, Target, Verdict, Waiver
from api.core.preflight.roles import same_name
from api.core.preflight.standing import Given, Standing, standing

STREAM = "preflights"
_WATCHED_STREAMS = (STREAM, "drills")
INTERRUPTED = "it was interrupted before it came to a verdict"


@dataclass(frozen=True, slots=True)
class SignOff:
    approved: bool
    by_name: str
    via: str
    note: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Preflight:
    """One run, as pages, reports and the command line read it. `waiting`: checks without a result yet."""

    id: str
    flow_run_id: str | None
    trigger: str
    status: str
    target: Target
    binding: Binding
    verdict: Verdict | None
    headline: str
    reasons: Sequence[str]
    next_step: str
    not_checked: Sequence[str]
    waivers: Sequence[Mapping[str, Any]]
    results: Sequence[Result]
    running: Sequence[str]
    waiting: Sequence[str]
    started_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    evidence_id: str | None
    sign_off: SignOff | None

    def to_json(self) -> dict[str, Any]:
        """What `firstuser preflight --json` prints."""
        plain: dict[str, Any] = {
            "id": self.id,
            "status": self.status,
            "verdict": self.verdict.value if self.verdict else None,
            "headline": self.headline,
            "reasons": list(self.reasons),
            "next_step": self.next_step,
            "release": self.binding.release,
            "configuration": self.binding.configuration,
            "flow_run_id": self.flow_run_id,
            "target": asdict(self.target),
            "results": [result.to_json() for result in self.results],
            "running": list(self.running),
            "waiting": list(self.waiting),
            "waivers": [dict(waiver) for waiver in self.waivers],
            "not_checked": list(self.not_checked),
            "evidence_id": self.evidence_id,
            "sign_off": _plain(asdict(self.sign_off)) if self.sign_off else None,
        }
        moments = {"started_at": self.started_at, "finished_at": self.finished_at}
        return plain | _plain({**moments, "expires_at": self.expires_at})


def current(session: Session, release: str, configuration: str, now: datetime) -> Binding:
    """What a GO would be about now."""
    facts = hashlib.sha256(canonical(queries.facts(session, now))).hexdigest()[:16]
    return Binding(release, configuration, facts)


def begin(
    session: Session,
    *,
    flow_run_id: str | None,
    trigger: str,
    target: Target,
    binding: Binding,
    checks: Sequence[Check],
    not_checked: Sequence[str],
    now: datetime,
) -> str:
    """Open a run and return its id. Runs go one at a time: one that is still open has lost its process."""
    queries.give_up_running(session, INTERRUPTED, now)
    preflight_id = new_id("pfl")
    queries.add_preflight(
        session,
        {
            "id": preflight_id,
            "flow_run_id": flow_run_id,
            "trigger": trigger,
            "target": asdict(target),
            "release": binding.release,
            "configuration": binding.configuration,
            "facts": binding.facts,
            "checks": [check.name for check in checks],
            "not_checked": list(not_checked),
            "started_at": now,
        },
    )
    return preflight_id


def note(session: Session, preflight_id: str, check: Check, result: Result | None, now: datetime) -> None:
    """A check begins (None), or is done: whoever looks sees it at once."""
    queries.note_result(session, preflight_id, check.name, result.to_json() if result else None, now)


def decide(
    session: Session,
    preflight_id: str,
    decision: Decision,
    waivers: Sequence[Waiver],
    facts: str,
    now: datetime,
) -> str:
    """Write the verdict and its evidence, once. Returns the evidence id."""
    row = _row(session, preflight_id, lock=True)
    if row["evidence_id"]:
        return str(row["evidence_id"])
    for result in decision.results:
        queries.note_result(session, preflight_id, result.name, result.to_json(), now)
    held = [waiver.to_json() for waiver in waivers if waiver.holds(now)]
    body: dict[str, Any] = {
        "preflight": preflight_id,
        "flow_run_id": row["flow_run_id"],
        "target": row["target"],
        "release": row["release"],
        "configuration": row["configuration"],
        "facts": facts,
        "verdict": decision.verdict.value,
        "headline": decision.headline,
        "results": [result.to_json() for result in decision.results],
        "waivers": held,
        "not_checked": row["not_checked"],
        "expires_at": decision.expires_at.isoformat() if decision.expires_at else None,
    }
    evidence_id = evidence.append(session, STREAM, "preflight", body, now)
    queries.end(
        session,
        preflight_id,
        {
            "status": "decided",
            "verdict": decision.verdict.value,
            "headline": decision.headline,
            "reasons": list(decision.reasons),
            "next_step": decision.next_step,
            "waivers": held,
            "facts": facts,
            "finished_at": now,
            "expires_at": decision.expires_at,
            "evidence_id": evidence_id,
        },
    )
    return evidence_id


def stands(session: Session, run: Preflight, binding: Binding, now: datetime) -> Standing:
    """Whether its GO still stands, with `binding` what it would be about now."""
    if run.verdict is None:
        return Standing("it has no verdict")
    newest = queries.newest_decided(session)
    faults = [fault for stream in _WATCHED_STREAMS if (fault := evidence.verify(session, stream))]
    given = Given(run.id, run.verdict, run.binding, run.expires_at)
    return standing(given, binding, str(newest["id"]) if newest else run.id, "; ".join(faults), now)


def sign_off(
    session: Session,
    preflight_id: str,
    *,
    approved: bool,
    by_id: str,
    by_name: str,
    via: str,
    note: str,
    binding: Binding,
    now: datetime,
) -> SignOff:
    """The release owner's word on a GO that stands. Raises `NotFound`, `Conflict`, `Refused`. Once, audited.

    `by_id` is the founder who is signed in; "" where somebody only says who they are (`via`)."""
    _row(session, preflight_id, lock=True)
    run = get(session, preflight_id)
    if run.sign_off is not None:
        raise Conflict("It has been signed already.", fix="Run the preflight again.", code="signed_already")
    if approved and not (stood := stands(session, run, binding, now)).stands:
        raise Conflict(
            f"The GO does not stand: {stood.why}.", fix="Run the preflight again.", code="go_is_void"
        )
    _check_release_owner(session, by_id, by_name)
    detail = {
        "preflight": preflight_id,
        "approved": approved,
        "by_id": by_id,
        "by_name": by_name,
        "via": via,
        "note": note,
        "release": binding.release,
        "configuration": binding.configuration,
        "facts": binding.facts,
    }
    evidence_id = evidence.append(session, STREAM, "sign_off", detail, now)
    values = {name: value for name, value in detail.items() if name != "preflight"}
    queries.add_sign_off(
        session,
        {**values, "id": new_id("sgn"), "preflight_id": preflight_id, "at": now, "evidence_id": evidence_id},
    )
    action = "preflights.sign_off" if approved else "preflights.decline"
    audit.record(session, by_id or by_name, action, preflight_id, now, {"via": via, "note": note})
    return SignOff(approved, by_name, via, note, now)


def _check_release_owner(session: Session, by_id: str, by_name: str) -> None:
    owner = next((one for one in owners.all_owners(session) if one.role is Role.RELEASE), None)
    if owner is None:
        raise Refused(
            "There is no release owner.", fix="Assign one on the Ops page.", code="no_release_owner"
        )
    theirs = owner.founder_id == by_id if by_id else same_name(owner.name, by_name)
    if not theirs:
        raise Refused(
            f"Only the release owner ({owner.name}) signs off.",
            fix="Ask them, or assign the role anew.",
            code="not_release_owner",
        )


def get(session: Session, preflight_id: str) -> Preflight:
    """Raises `NotFound`."""
    return _preflight(session, _row(session, preflight_id))


def by_flow_run(session: Session, flow_run_id: str) -> Preflight | None:
    row = queries.by_flow_run(session, flow_run_id)
    return _preflight(session, row) if row else None


def recent(session: Session, limit: int = 20) -> Sequence[Preflight]:
    """Newest first."""
    return [_preflight(session, row) for row in queries.recent(session, limit)]


def newest_decided(session: Session) -> Preflight | None:
    row = queries.newest_decided(session)
    return _preflight(session, row) if row else None


def _row(session: Session, preflight_id: str, *, lock: bool = False) -> RowMapping:
    found = queries.preflight(session, preflight_id, lock=lock)
    if found is None:
        raise NotFound(
            f"There is no preflight {preflight_id}.", fix="`firstuser preflight list` shows the known ones."
        )
    return found


def _preflight(session: Session, row: RowMapping) -> Preflight:
    stored = {one["name"]: one["result"] for one in queries.results(session, row["id"])}
    signed = queries.sign_off(session, row["id"])
    names: list[str] = list(row["checks"])
    return Preflight(
        id=row["id"],
        flow_run_id=row["flow_run_id"],
        trigger=row["trigger"],
        status=row["status"],
        target=Target(**row["target"]),
        binding=Binding(row["release"], row["configuration"], row["facts"]),
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        headline=row["headline"],
        reasons=list(row["reasons"]),
        next_step=row["next_step"],
        not_checked=list(row["not_checked"]),
        waivers=list(row["waivers"]),
        results=[Result.from_json(stored[name]) for name in names if stored.get(name)],
        running=[name for name in names if name in stored and stored[name] is None],
        waiting=[name for name in names if name not in stored],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
        evidence_id=row["evidence_id"],
        sign_off=SignOff(signed["approved"], signed["by_name"], signed["via"], signed["note"], signed["at"])
        if signed
        else None,
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()
    }
