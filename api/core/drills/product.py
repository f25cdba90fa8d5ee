"""Checks that use the restored product through staging, over HTTP, as a person and a partner would.

Runbook section 2, step 3: login, founder tools load, integration setup load, live users API response. The
`Visitor` is the person; the session on the copy is only read, to tell what may rightly have changed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, Protocol

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.core.drills.beacons import LIVE_SAMPLE_LIMIT, removed_since
from api.core.drills.compare import field_differences, live_differences
from api.core.drills.records import Beacon, CheckResult, CheckStatus, check
from api.core.errors import FirstUserError


class Visitor(Protocol):
    """Someone in front of the product. Every method raises `FirstUserError` when the product refuses."""

    def log_in(self, phone: str) -> str:
        """Ask for a code, read it from the outbox, send it back. Returns what the product said."""
        ...

    def page(self, path: str) -> str:
        """The HTML of a page that needs a login."""
        ...

    def founder_json(self, path: str) -> Mapping[str, Any]: ...

    def partner_json(self, path: str, api_key: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Scene:
    """What the product checks work with: the visitor, the copy, the source's beacon, the target."""

    visitor: Visitor
    copy: Session
    beacon: Beacon
    target: datetime
    owner_phone: str
    partner_key: str
    live_window: timedelta


def login(scene: Scene) -> CheckResult:
    before = _sessions(scene.copy)
    said = scene.visitor.log_in(scene.owner_phone)
    made = _sessions(scene.copy) - before
    fix = (
        "Check SESSION_SECRET and the data key on staging, and FOUNDER_PHONES against the restored founders."
    )
    return check(
        "login", made == 1, "a login by code, one new session in the copy", f"{said}; {made} new session", fix
    )


def founder_tools(scene: Scene) -> CheckResult:
    """The dashboard loads, and the space's numbers are those that the source held."""
    space = _sampled(scene, "space")
    html = scene.visitor.page("/app")
    answer = scene.visitor.founder_json(f"/api/founder/v1/spaces/{space['slug']}")
    since = _changed_since(scene, space["id"])
    expected = {name: space[name] for name in ("id", "slug", "name", "created_at")}
    expected |= {"entries": space["entries"] + since["entries"], "grants": space["grants"] + since["grants"]}
    observed = {**answer, "entries": answer["entries"]["total"], "grants": answer["grants"]["total"]}
    differences = field_differences(expected, observed)
    if space["name"] not in html:
        differences.append(f"the page does not name the space {space['name']!r}")
    fix = "Compare the space on staging with the source at the target time; look at the staging log."
    shown = "; ".join(differences) or f"page of {len(html)} characters, {observed['entries']} entries"
    return check("founder_tools", not differences, f"{expected['entries']} entries, as held", shown, fix)


def integration_setup(scene: Scene) -> CheckResult:
    """The setup page loads, and the integration is registered as the source had it."""
    integration = _sampled(scene, "integration")
    html = scene.visitor.page("/app/integrate")
    answer = scene.visitor.founder_json(f"/api/founder/v1/integrations/{integration['id']}")
    differences = field_differences(integration, answer)
    if integration["name"] not in html:
        differences.append(f"the page does not name the integration {integration['name']!r}")
    fix = "Compare the integration on staging with the source; look at the staging log."
    shown = "; ".join(differences) or f"page of {len(html)} characters, all fields as held"
    return check("integration_setup", not differences, f"{integration['name']}, as held", shown, fix)


def live_users(scene: Scene) -> CheckResult:
    """The live users API answers a partner's key with exactly those who were live on the source."""
    _sampled(scene, "integration")
    rows, answer = _all_live(scene)
    sample, observed = _by_our_ids(scene, rows)
    changed = _presence_changed(scene)
    differences = live_differences(
        sample, observed, changed=changed, target=scene.target, window=scene.live_window
    )
    if answer["count"] != len(rows):
        differences.append(f"the answer counts {answer['count']} and lists {len(rows)}")
    fix = (
        "Compare presence on staging with the source at the target time; check that staging stands at as_of."
    )
    shown = f"{len(rows)} live, {len(changed)} changed between sample and target"
    return check(
        "live_users",
        not differences,
        f"the live users of {scene.target.isoformat()}",
        "; ".join([*differences[:5], shown]),
        fix,
    )


PRODUCT_CHECKS: Mapping[str, Callable[[Scene], CheckResult]] = {
    "login": login,
    "founder_tools": founder_tools,
    "integration_setup": integration_setup,
    "live_users": live_users,
}


def carry_out(name: str, scene: Scene) -> CheckResult:
    """Run one check; a product that refuses is a result, with its words, not a crash."""
    started = perf_counter()
    try:
        result = PRODUCT_CHECKS[name](scene)
    except FirstUserError as error:
        result = CheckResult(name, CheckStatus.ERROR, "the product answers", error.message, error.fix)
    except DBAPIError as error:
        result = unanswered(name, scene.copy, error)
    return replace(result, seconds=round(perf_counter() - started, 3))


def unanswered(name: str, copy: Session, error: DBAPIError) -> CheckResult:
    """A copy that cannot answer a query, for a damaged page or a missing table, is a result, too."""
    copy.rollback()
    fix = "The copy is damaged: drill to an earlier moment, and run pg_amcheck on the source."
    said = str(error.orig).splitlines()[0]
    return check(name, False, "the copy answers", f"{said}{_relation(copy, said)}", fix)


def _relation(copy: Session, said: str) -> str:
    """The table or index whose file is named, when it is one of this database and the catalog can be read."""
    file = re.search(r"base/\d+/(\d+)", said)
    if file is None:
        return ""
    try:
        query = text("SELECT pg_filenode_relation(0, CAST(:file AS oid))::regclass::text")
        found = copy.execute(query, {"file": file[1]}).scalar_one()
    except DBAPIError:
        copy.rollback()
        return ""
    return f" ({found})" if found else ""


def _sampled(scene: Scene, what: str) -> Mapping[str, Any]:
    held = scene.beacon.sample.get(what)
    if not held:
        raise FirstUserError(
            f"The source's beacon {scene.beacon.id} holds no {what} to compare with.",
            fix="Set VITE_HOMEPAGE_SPACE_SLUG to an existing space with an integration.",
        )
    return held


def _sessions(copy: Session) -> int:
    copy.rollback()  # a fresh snapshot
    return copy.execute(text("SELECT count(*) FROM sessions")).scalar_one()


def _changed_since(scene: Scene, space_id: str) -> Mapping[str, int]:
    """By how much the space's numbers rightly differ from the beacon's: rows that its snapshot had not seen
    yet, less those that went with deleted people."""
    created = _created_since(scene, space_id)
    removed = removed_since(scene.copy, space_id, scene.beacon.snapshot)
    return {name: number - removed[name] for name, number in created.items()}


def _created_since(scene: Scene, space_id: str) -> Mapping[str, int]:
    counts = scene.copy.execute(
        text("""
            SELECT (SELECT count(*) FROM entries WHERE space_id = :space
                     AND NOT pg_visible_in_snapshot(created_xid, CAST(:snapshot AS pg_snapshot))) AS entries,
                   (SELECT count(*) FROM grants g JOIN integrations i ON i.id = g.integration_id
                     WHERE i.space_id = :space
                     AND NOT pg_visible_in_snapshot(g.created_xid, CAST(:snapshot AS pg_snapshot))) AS grants
        """),
        {"space": space_id, "snapshot": scene.beacon.snapshot},
    )
    return dict(counts.mappings().one())


def _by_our_ids(
    scene: Scene, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """(sample, observed) under our own ids. The sample without those who were deleted since; of what is shown
    nothing that a sample cut short says nothing about."""
    sample: Sequence[Mapping[str, Any]] = scene.beacon.sample["live"]
    sampled = [row["user_id"] for row in sample]
    asked = {
        "integration": scene.beacon.sample["integration"]["id"],
        "shown": [row["external_user_id"] for row in rows],
        "sampled": sampled,
    }
    theirs = {row.user_id: row.external_user_id for row in scene.copy.execute(_PEOPLE, asked)}
    ours = {external: user for user, external in theirs.items()}
    deleted = frozenset(scene.copy.execute(_DELETED, {"sampled": sampled}).scalars())
    last = max((theirs[user] for user in sampled if user in theirs), default="")
    cut_short = len(sample) >= LIVE_SAMPLE_LIMIT
    observed: list[Mapping[str, Any]] = [
        {**row, "user_id": ours.get(row["external_user_id"], "someone without an entry")}
        for row in rows
        if not cut_short or row["external_user_id"] <= last
    ]
    return [row for row in sample if row["user_id"] not in deleted], observed


_PEOPLE = text("""
    SELECT user_id, external_user_id FROM entries
     WHERE integration_id = :integration AND external_user_id = ANY(:shown)
    UNION
    SELECT user_id, external_user_id FROM entries
     WHERE integration_id = :integration AND user_id = ANY(:sampled)
""")

_DELETED = text("SELECT user_id FROM tombstones WHERE user_id = ANY(:sampled)")


def _presence_changed(scene: Scene) -> frozenset[str]:
    """Whose presence was written after the beacon's snapshot. `xmin` has 32 bits; the epoch is the
    snapshot's."""
    users = scene.copy.execute(
        text("""
            WITH s AS (SELECT CAST(:snapshot AS pg_snapshot) AS snapshot,
                              pg_snapshot_xmax(CAST(:snapshot AS pg_snapshot))::text::numeric AS top)
            SELECT entries.user_id
              FROM s, presence JOIN entries USING (integration_id, external_user_id)
             WHERE integration_id = :integration
               AND NOT pg_visible_in_snapshot(
                       (presence.xmin::text::numeric + 4294967296 * floor(top / 4294967296))::text::xid8,
                       snapshot)
        """),
        {"integration": scene.beacon.sample["integration"]["id"], "snapshot": scene.beacon.snapshot},
    )
    return frozenset(users.scalars())


def _all_live(scene: Scene) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """Every page of the live users list, and its first answer."""
    path = "/api/integration/v1/users/live"
    first = answer = scene.visitor.partner_json(path, scene.partner_key)
    rows = list(answer["data"])
    while answer["has_more"]:
        answer = scene.visitor.partner_json(f"{path}?cursor={answer['next_cursor']}", scene.partner_key)
        rows.extend(answer["data"])
    return rows, first
