"""A drill step by step, over ports: restore → point staging → verify → record → tear down.

Knows no scheduler. Every step re-reads the drill's row, writes down what it is about to leave behind before
it does so, and can be followed by `undo` from any other process.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from time import perf_counter

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from api.core.drills import clocks, database, product, queries, service, targets
from api.core.drills.drilling import DATABASE_CHECKS, PRODUCT_CHECKS, STAGING, Drilling, database_name
from api.core.drills.reachability import database_named
from api.core.drills.records import Beacon, CheckResult, CheckStatus, DrillStatus, Phase, check
from api.core.drills.undo import undo
from api.core.drills.verdict import Verdict, decide
from api.core.errors import FirstUserError, ProviderError, Rejected
from api.core.ports import Handle, OnProgress, ProviderFact, RestorePlan
from api.db.engine import make_engine

LOOK_BACK = timedelta(days=1)
BEACONS_TO_LOOK_AT = 2_000
TOMBSTONES = "tombstones"
_FORGET = "Look at `tombstones` on the source and on a kept copy. Nobody may be served from a copy before."
VERIFICATION_ONLY = "Verification only: the copy ran with fsync off, so its RTO does not count."


class DrillRun:
    """One drill in progress. The steps are called in order; `tear_down` always."""

    def __init__(self, drilling: Drilling, drill_id: str, on_progress: OnProgress) -> None:
        self._use = drilling
        self._on_progress = on_progress
        self.id = drill_id
        self._plan: RestorePlan | None = None

    @contextmanager
    def _phase(self, phase: Phase) -> Generator[None]:
        with self._journal() as session:
            service.enter(session, self.id, phase)
        started = perf_counter()
        try:
            yield
        finally:
            with self._journal() as session:
                service.record_phase(session, self.id, phase, perf_counter() - started)

    def locate(self) -> RestorePlan:
        """Choose the moment and the backup, and prove that the one can be reached from the other."""
        with self._phase(Phase.LOCATE):
            with self._journal() as session:
                drill = service.row(session, self.id)
                asked_text, started_at = drill.asked_target, drill.started_at
            asked = targets.parse_target(asked_text, started_at)
            points = self._use.database.restore_points()
            target = targets.choose_target(asked, points, self._source_beacons(started_at))
            self._plan = self._use.database.locate(target)
            return self._plan

    def _source_beacons(self, now: datetime) -> Sequence[Beacon]:
        with self._source() as session:
            clocks.require_same(self._use.clock(), queries.clock(session))
            rows = queries.beacons_between(session, now - LOOK_BACK, now, BEACONS_TO_LOOK_AT)
            return [service.beacon(row) for row in rows]

    def restore(self, keep: timedelta) -> Handle:
        """Create the temporary database `drill-<id>`; the row knows its name first."""
        plan = self._plan or self.locate()
        name = database_name(self.id)
        now = self._use.clock()
        with self._journal() as session:
            service.intend_database(
                session,
                self.id,
                name=name,
                target=plan.target.at,
                restore_point=plan.point.id,
                keep_until=now + keep if keep else None,
            )
        with self._phase(Phase.FETCH):
            expires = now + max(self._use.copy_ttl, keep)
            handle = self._use.database.restore(plan, name, expires, self._on_progress)
        with self._journal() as session:
            service.database_created(session, self.id, handle)
        return handle

    def replay(self) -> None:
        """Wait until the copy stands at the target."""
        with self._phase(Phase.REPLAY):
            self._use.database.wait(self._handle(), self._on_progress)

    def check_database(self, names: Sequence[str]) -> list[CheckResult]:
        """The checks by SQL, while the copy stands read-only at the target. Measures the RPO."""
        handle = self._handle()
        with self._phase(Phase.VERIFY):
            results = [_as_check(fact) for fact in self._use.database.verify(handle)]
            with self._journal() as session:  # they tell what is damaged, should the copy not answer
                service.add_checks(session, self.id, results)
            with self._source_after(handle.target_at) as first_after, self._copy(handle) as copy:
                seen = database.canary(copy, handle.target_at, first_after)
                results.append(self._clock(seen.beacon, handle.target_at))
                checks: dict[str, Callable[[], list[CheckResult]]] = {
                    "canary": lambda: [seen.result],
                    "checksums": lambda: [database.checksums(copy)],
                    "digests": lambda: database.digests(copy, handle.target_at),
                    "migration_head": lambda: [database.migration_head(copy, self._use.code_migration_head)],
                    "sequences": lambda: [database.sequences(copy)],
                    "collations": lambda: [database.collations(copy)],
                }
                for name in DATABASE_CHECKS:
                    if name in names:
                        results += _carry_out(name, copy, checks[name])
        self._record(results, seen, handle.target_at)
        return results

    def _record(self, results: Sequence[CheckResult], seen: database.Canary, target: datetime) -> None:
        policy = self._use.database.backup_policy()
        with self._journal() as session:
            service.add_checks(session, self.id, results)
            drill = service.row(session, self.id)
            behind = seen.seconds_before(target)
            if seen.beacon is None or behind is None:
                return
            parts = {"behind_target": round(behind, 3)}
            if policy.latest_restorable is not None:
                exposure = (drill.started_at - policy.latest_restorable).total_seconds()
                parts["exposure"] = round(max(exposure, 0.0), 3)
            latest = targets.parse_target(drill.asked_target, drill.started_at) is None
            lost = self._lost_since(seen.beacon, drill.started_at) if latest else behind
            service.record_rpo(session, self.id, lost, parts)

    def _lost_since(self, restored: Beacon, asked_at: datetime) -> float:
        with self._source() as session:
            later = queries.beacon_times(session, restored.id, asked_at)
        return targets.lost_seconds(restored.at, later, asked_at)

    def _clock(self, restored: Beacon | None, target: datetime) -> CheckResult:
        with self._source() as session:
            last = queries.last_written(session)
            set_back = queries.clock_set_back(session, restored.id) if restored else None
        return clocks.steady(last.at if last else None, set_back, target, self._use.clock())

    def check_structure(self) -> list[CheckResult]:
        """The slow check of every table and index; it needs the copy open for writing."""
        handle = self._handle()
        with self._phase(Phase.VERIFY), self._copy(handle) as copy:
            results = _carry_out("amcheck", copy, lambda: [_as_check(self._use.database.amcheck(handle))])
        with self._journal() as session:
            service.add_checks(session, self.id, results)
        return results

    def promote(self) -> None:
        with self._phase(Phase.PROMOTE):
            self._use.database.promote(self._handle())

    def forget_the_deleted(self) -> CheckResult:
        """People deleted after the target are back in the copy: forget them again, before anyone is served
        from it. Raises `Rejected` when that fails: staging must not see such a copy."""
        handle = self._handle()
        with self._phase(Phase.PROMOTE):
            try:
                with self._use.source() as source, self._opened(handle) as copy:
                    replayed, back, left = self._use.replay_tombstones(source, copy)
                    copy.commit()
            except DBAPIError as error:
                raise self._not_forgotten(str(error.orig).splitlines()[0]) from None
        observed = f"{replayed} replayed, {back} people were back, {left} are left"
        result = check(TOMBSTONES, left == 0, f"{replayed} replayed, 0 are left", observed, _FORGET)
        with self._journal() as session:
            service.add_checks(session, self.id, [result])
        if left:
            raise self._not_forgotten(observed)
        return result

    def _not_forgotten(self, observed: str) -> Rejected:
        return Rejected(
            f"Deleted people could not be forgotten on the copy: {observed}.",
            provider=self._use.database.name,
            operation=TOMBSTONES,
            fix=_FORGET,
        )

    def point_staging(self) -> None:
        """Point staging at the copy and wait until it serves from it. Its home is remembered first."""
        handle = self._handle()
        with self._phase(Phase.POINT):
            home = self._use.hosting.pointer(STAGING)
            with self._journal() as session:
                service.intend_pointing(session, self.id, home)
            deploy = self._use.hosting.point(
                STAGING,
                self._use.database.dsn(handle, "app"),
                restored_copy=handle.name,
                as_of=handle.target_at,
            )
            served = self._use.hosting.wait_live(STAGING, deploy, self._use.wait_timeout_s)
            if served.restored_copy != handle.name:
                found = served.restored_copy or "its own database"
                raise Rejected(
                    f"{STAGING} serves {found} instead of {handle.name}.",
                    provider=self._use.hosting.name,
                    operation="point",
                    fix="Somebody deployed meanwhile: start the drill again.",
                )

    def verify_product(self, names: Sequence[str]) -> list[CheckResult]:
        """Login, founder tools, integration setup, live users: through staging, as a user would."""
        handle = self._handle()
        with self._phase(Phase.VERIFY), self._copy(handle) as copy, self._use.visitor() as visitor:
            stored = queries.newest_beacon(copy)
            if stored is None:
                fix = "See that the beacon process runs against production."
                results = [check("product", False, "a beacon in the copy to compare with", "none", fix)]
            else:
                results = self._use_product(visitor, copy, service.beacon(stored), handle, names)
        with self._journal() as session:
            service.add_checks(session, self.id, results)
        return results

    def _use_product(
        self, visitor: product.Visitor, copy: Session, beacon: Beacon, handle: Handle, names: Sequence[str]
    ) -> list[CheckResult]:
        integration = beacon.sample.get("integration")
        try:
            key = self._use.mint_key(copy, integration["id"], handle.target_at) if integration else ""
            copy.commit()  # on the copy, which is thrown away: staging has to see the key
        except DBAPIError as error:
            return [product.unanswered("partner_key", copy, error)]
        scene = product.Scene(
            visitor=visitor,
            copy=copy,
            beacon=beacon,
            target=handle.target_at,
            owner_phone=self._use.owner_phone,
            partner_key=key,
            live_window=self._use.live_window,
        )
        return [product.carry_out(name, scene) for name in PRODUCT_CHECKS if name in names]

    def conclude(self, error: FirstUserError | None = None) -> Verdict:
        """Tear down what is left, then write the verdict and its evidence."""
        with self._journal() as session:
            stopped_in = service.row(session, self.id).phase
        self.tear_down()
        with self._journal() as session:
            drill = service.row(session, self.id)
            verdict = decide(
                service.checks(drill),
                drill.rto_parts,
                drill.rto_target,
                drill.rpo_seconds,
                drill.rpo_target,
            )
            if not self._use.durable:
                verdict = replace(verdict, next_step=f"{VERIFICATION_ONLY} {verdict.next_step}")
            if error is not None:
                failed = isinstance(error, ProviderError)
                issues = [f"{stopped_in}: {error.message}"] if not failed else [error.message]
                verdict = Verdict(
                    DrillStatus.FAILED if failed else DrillStatus.ERROR, issues, error.fix or "See the log."
                )
            service.finish(session, self.id, verdict, self._use.clock())
        return verdict

    def fail_step(self, error: ProviderError) -> None:
        """A provider that could not restore is an answer: keep it as a failed check of the current phase."""
        with self._journal() as session:
            name = TOMBSTONES if error.operation == TOMBSTONES else service.row(session, self.id).phase
            result = CheckResult(
                name, CheckStatus.FAIL, f"{error.operation} succeeds", error.message, error.fix
            )
            service.add_checks(session, self.id, [result])

    def tear_down(self) -> CheckResult:
        """Staging home, the copy destroyed unless it is kept; proven, not assumed."""
        with self._journal() as session:
            service.enter(session, self.id, Phase.TEARDOWN)
        result = undo(self._use, self.id)
        with self._journal() as session:
            service.add_checks(session, self.id, [result])
        return result

    def _handle(self) -> Handle:
        with self._journal() as session:
            handle = service.handle(service.row(session, self.id))
        if handle is None:
            raise FirstUserError("The drill has no temporary database yet.", fix="Restore first.")
        return handle

    @contextmanager
    def _journal(self) -> Generator[Session]:
        with database_named("The drill's journal"), self._use.transaction() as session:
            yield session

    @contextmanager
    def _source(self) -> Generator[Session]:
        with database_named("The source"), self._use.source() as session:
            yield session

    @contextmanager
    def _copy(self, handle: Handle) -> Generator[Session]:
        with database_named(f"The copy {handle.name}"), self._opened(handle) as session:
            yield session

    @contextmanager
    def _opened(self, handle: Handle) -> Generator[Session]:
        engine = make_engine(self._use.database.dsn(handle, "admin"), application_name="drill")
        try:
            with Session(engine) as session:
                yield session
        finally:
            engine.dispose()

    @contextmanager
    def _source_after(self, target: datetime) -> Generator[Beacon | None]:
        with self._source() as session:
            stored = queries.first_beacon_after(session, target)
            yield service.beacon(stored) if stored else None


def _as_check(fact: ProviderFact) -> CheckResult:
    result = check(fact.name, fact.ok, fact.expected, fact.observed, fact.fix)
    return result if fact.possible else replace(result, status=CheckStatus.SKIP)


def _carry_out(name: str, copy: Session, run: Callable[[], list[CheckResult]]) -> list[CheckResult]:
    """Run one check with its time. A copy that cannot answer (a damaged page) is a result, too."""
    started = perf_counter()
    try:
        results = run()
    except DBAPIError as error:
        results = [product.unanswered(name, copy, error)]
    share = round((perf_counter() - started) / max(len(results), 1), 3)
    return [replace(result, seconds=share) for result in results]
