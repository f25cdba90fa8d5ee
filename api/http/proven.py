"""What was proven last, and what is wrong now: the facts of the Ops page as Prometheus reads them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from api.core.drills import service as drills
from api.core.drills.records import DrillStatus, DrillSummary
from api.core.incidents import reading
from api.core.incidents.decisions import RuleName
from api.core.preflight import service as preflight
from api.core.preflight.records import Verdict
from api.core.preflight.service import Preflight
from api.core.rotation import service as rotation
from api.core.rotation.cadence import PLATFORM_KINDS, POLICIES
from api.db.engine import Session

_LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class Proven:
    """`drill`: the newest that ended, `passed` the newest that passed. `incidents`: open ones by rule.
    `secrets`: since when each platform secret is the current one."""

    drill: DrillSummary | None
    passed: DrillSummary | None
    preflight: Preflight | None
    incidents: Mapping[str, int]
    secrets: Mapping[str, datetime]


def look(session: Session) -> Proven:
    ended = (one for one in drills.recent(session, _LOOKED_AT) if one.finished_at is not None)
    open_rules = [rule for rule, _ in reading.open_incidents(session)]
    versions = rotation.current_versions(session)
    return Proven(
        next(ended, None),
        drills.last_passed(session),
        preflight.newest_decided(session),
        {rule.value: open_rules.count(rule.value) for rule in RuleName},
        {name: one.current_at or one.minted_at for name, one in versions.items() if name in PLATFORM_KINDS},
    )


def families(found: Proven) -> Iterator[Metric]:
    """A fact that there is not yet has no sample: absent is not zero."""
    yield from _drills(found)
    yield from _preflight(found)
    opened = GaugeMetricFamily("firstuser_incidents_open", "Open incidents, by rule.", labels=["rule"])
    for rule, number in found.incidents.items():
        opened.add_metric([rule], number)
    yield opened
    yield from _secrets(found)


def _drills(found: Proven) -> Iterator[Metric]:
    yield _one(
        "firstuser_drill_passed",
        "Whether the newest restore drill that ended has passed (1) or not (0).",
        float(found.drill.status is DrillStatus.PASSED) if found.drill else None,
    )
    passed = found.passed
    yield _one(
        "firstuser_drill_last_passed_timestamp_seconds",
        "When the newest restore drill that passed ended.",
        passed.finished_at.timestamp() if passed and passed.finished_at else None,
    )
    yield _one(
        "firstuser_drill_rto_seconds",
        "Time to recover, of the newest drill that passed.",
        passed.rto_seconds if passed else None,
    )
    yield _one(
        "firstuser_drill_rpo_seconds",
        "Data lost, as time, in the newest drill that passed.",
        passed.rpo_seconds if passed else None,
    )


def _preflight(found: Proven) -> Iterator[Metric]:
    newest = found.preflight
    yield _one(
        "firstuser_preflight_go",
        "Whether the newest preflight that was decided says go, with warnings or without (1), or no-go (0).",
        float(newest.verdict is not Verdict.NO_GO) if newest else None,
    )
    yield _one(
        "firstuser_preflight_decided_timestamp_seconds",
        "When that preflight ended.",
        newest.finished_at.timestamp() if newest and newest.finished_at else None,
    )


def _secrets(found: Proven) -> Iterator[Metric]:
    since = GaugeMetricFamily(
        "firstuser_secret_current_since_timestamp_seconds",
        "Since when a platform secret is the current one.",
        labels=["name"],
    )
    cadence = GaugeMetricFamily(
        "firstuser_secret_cadence_seconds", "How often it is to be rotated.", labels=["name"]
    )
    for name, moment in sorted(found.secrets.items()):
        since.add_metric([name], moment.timestamp())
        cadence.add_metric([name], POLICIES[PLATFORM_KINDS[name]].cadence.total_seconds())
    yield since
    yield cadence


def _one(name: str, words: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, value=value)
