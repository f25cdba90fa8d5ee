"""Housekeeping killed anywhere: what is old goes with the next run, what is young stays."""

from sqlalchemy import text

from flows import housekeeping
from tests.crash.points import POINTS
from tests.crash.scenario import tasks_of, transaction, wire

_OLD_AND_YOUNG = text("""
insert into idempotency_keys (caller, operation, key, body_sha256, created_at)
select 'crash', 'run', kind, '\\x00',
       now() - case kind when 'old' then interval '90 days' else interval '0' end
from unnest(array['old', 'young']) kind on conflict do nothing
""")
_KEYS = text("select key from idempotency_keys where caller = 'crash'")


class Prune:
    def tasks(self) -> int:
        return tasks_of(housekeeping)

    def before(self) -> None:
        with transaction() as session:
            session.execute(_OLD_AND_YOUNG)

    def watch(self) -> None:
        """It writes to the database only; Prefect's runs go through Prefect's API, which is not here."""

    def run(self) -> None:
        wire()
        POINTS.armed = True
        housekeeping.prune_now()

    def next_run(self) -> None:
        self.run()

    def wrong(self) -> list[str]:
        with transaction() as session:
            left = list(session.scalars(_KEYS))
        return [] if left == ["young"] else [f"left: {left}"]


SCENARIO = Prune()
