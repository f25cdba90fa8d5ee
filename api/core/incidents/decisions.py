"""What a trip leads to, as pure functions: whose fault it looks like, what is done about it, and by whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from api.core.incidents.exchange_rate import RULE, Bucket, Judged, Series
from api.core.incidents.tally import EVERYBODY
from api.core.incidents.verdicts import Verdict

COOL_DOWN = timedelta(minutes=30)
VERIFIED_AFTER = timedelta(minutes=10)
CLEAN_MINUTES = 15
DEPLOYED_LATELY = timedelta(hours=24)
PRODUCTION = "production"
TRAFFIC_MINUTES = 60


class RuleName(StrEnum):
    EXCHANGE_RATE = "R1"
    READINESS = "R2"
    EXHAUSTION = "R3"


TITLES = {
    RuleName.EXCHANGE_RATE: "Access exchange error rate",
    RuleName.READINESS: "readyz fails",
    RuleName.EXHAUSTION: "Webhooks given up across integrations",
}


class Mode(StrEnum):
    """`dry-run`: noted only. `recommend`: a person is called and does it. `auto`: done, then told."""

    DRY_RUN = "dry-run"
    RECOMMEND = "recommend"
    AUTO = "auto"


class Cause(StrEnum):
    ONE_INTEGRATION = "one integration"
    WEBHOOKS = "webhooks"
    DEPLOY = "a recent deploy"
    IRREVERSIBLE_DEPLOY = "a recent deploy with an irreversible migration"
    DATABASE = "the database"
    UNKNOWN = "no recent deploy"


class ActionKind(StrEnum):
    PAUSE_ONBOARDING = "pause onboarding"
    DISABLE_INTEGRATION = "disable integration"
    PAUSE_RETRIES = "pause webhook retries"
    ROLL_BACK = "roll back"
    PAGE_INCIDENT_OWNER = "page incident owner"
    PAGE_ROLLBACK_OWNER = "page rollback owner"


@dataclass(frozen=True, slots=True)
class RecentDeploy:
    """The newest deploy of production. `irreversible`: it carries a migration that cannot be taken back."""

    id: str
    release: str
    at: datetime
    irreversible: bool = False


@dataclass(frozen=True, slots=True)
class ModeOverride:
    rule: str
    mode: Mode
    expires_at: datetime
    created_at: datetime


def mode(
    rule: RuleName, overrides: Iterable[ModeOverride], configured: Mode | None, busy: bool, now: datetime
) -> Mode:
    """The newest override that holds, else what is configured, else by traffic: few attempts prove little."""
    held = [one for one in overrides if one.rule == rule and one.created_at <= now < one.expires_at]
    if held:
        return max(held, key=lambda one: one.created_at).mode
    return configured or (Mode.AUTO if busy else Mode.RECOMMEND)


def busy(everybody: Series) -> bool:
    """Whether the last hour's attempts are, on average, enough for a rate."""
    lately = [bucket for bucket in everybody[-TRAFFIC_MINUTES:] if bucket]
    attempts = sum(bucket.attempted for bucket in lately)
    return bool(lately) and attempts * RULE.window >= RULE.attempts * len(lately)


def cause(
    rule: RuleName,
    scope: str,
    bad_scopes: Sequence[str],
    deploy: RecentDeploy | None,
    since: datetime,
    *,
    database_down: bool,
) -> Cause:
    """`bad_scopes`: integrations in breach; more than one is not that one's fault. A deploy after the first
    bad minute is not what began it."""
    if rule is RuleName.EXHAUSTION:
        return Cause.WEBHOOKS
    if rule is RuleName.EXCHANGE_RATE and {*bad_scopes, scope} - {EVERYBODY} and len(bad_scopes) <= 1:
        return Cause.ONE_INTEGRATION
    if database_down:
        return Cause.DATABASE
    if deploy is None or not timedelta(0) <= since + timedelta(minutes=1) - deploy.at <= DEPLOYED_LATELY:
        return Cause.UNKNOWN
    return Cause.IRREVERSIBLE_DEPLOY if deploy.irreversible else Cause.DEPLOY


def actions(found: Cause, scope: str, bad_scopes: Sequence[str]) -> list[tuple[ActionKind, str]]:
    """(what, with what). Onboarding is always paused, and first."""
    then: dict[Cause, tuple[ActionKind, str]] = {
        Cause.ONE_INTEGRATION: (ActionKind.DISABLE_INTEGRATION, scope or next(iter(bad_scopes), "")),
        Cause.WEBHOOKS: (ActionKind.PAUSE_RETRIES, EVERYBODY),
        Cause.DEPLOY: (ActionKind.ROLL_BACK, PRODUCTION),
        Cause.IRREVERSIBLE_DEPLOY: (ActionKind.PAGE_ROLLBACK_OWNER, PRODUCTION),
        Cause.DATABASE: (ActionKind.PAGE_INCIDENT_OWNER, EVERYBODY),
        Cause.UNKNOWN: (ActionKind.PAGE_INCIDENT_OWNER, EVERYBODY),
    }
    return [(ActionKind.PAUSE_ONBOARDING, EVERYBODY), then[found]]


def clean(judged: Sequence[Judged], series: Sequence[Bucket | None]) -> bool:
    """Whether the newest quarter of an hour was watched throughout and nothing in it was bad. A scope that is
    switched off has no attempts: that is as clean as it gets, and a person decides."""
    newest = judged[-CLEAN_MINUTES:]
    buckets = [bucket for bucket in series[-CLEAN_MINUTES:] if bucket is not None]
    if min(len(newest), len(buckets)) < CLEAN_MINUTES:
        return False
    quiet = all(100 * bucket.failed <= RULE.percent * bucket.attempted for bucket in buckets)
    return quiet and all(one.verdict in (Verdict.OK, Verdict.INSUFFICIENT) for one in newest)
