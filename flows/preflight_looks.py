"""What each check of a preflight looks at: the composition of facts and judgement, without Prefect.

`Looks(target)` binds every name of the catalogue to a callable; `planned` says what applies to the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from api.core.alerts import views as alerts
from api.core.clock import system_clock
from api.core.drills import service as drills
from api.core.errors import Refused
from api.core.evidence import service as evidence
from api.core.incidents.decisions import PRODUCTION
from api.core.ports import Deployer, VariableLister
from api.core.preflight import owners, rehearsals, secret_ages
from api.core.preflight.catalogue import (
    CHECKS,
    NOT_CHECKED,
    PARTNER_SECRET_DAYS,
    PLATFORM_SECRET_DAYS,
    RECEIPT_FRESH,
)
from api.core.preflight.judging import alerts as on_alerts
from api.core.preflight.judging import database, edge, environment, people, secrets, service
from api.core.preflight.judging.alerts import Acknowledged
from api.core.preflight.judging.database import DrillProof
from api.core.preflight.judging.environment import Served, Variable
from api.core.preflight.judging.secrets import Age
from api.core.preflight.records import Check, Finding, Target
from api.core.preflight.runner import Look
from api.core.rotation import service as rotation
from api.db.engine import Session
from api.providers.edge.cloudflare import Cloudflare, cloudflare
from api.providers.preflight import browsing, smoke, tls
from api.providers.preflight.outside import LOOPBACK, Outside
from api.providers.preflight.smoke import Place
from api.settings import Settings
from api.settings.check import Checked
from api.settings.check import check as check_settings
from api.settings.fingerprint import configuration
from api.settings.rules import embedded
from api.settings.twelve import NOT_OF_STAGING, TWELVE, judged
from flows import wiring
from flows.preflight_tenant import SyntheticTenant

PLATFORM_KINDS = ("session", "widget", "webhook_signing", "data_key")
_EDGE_CHECKS = ("domain.zone", "domain.edge")
_TLS_CHECKS = ("domain.tls", "domain.redirect")


@dataclass(frozen=True, slots=True)
class Plan:
    checks: Sequence[Check]
    not_checked: Sequence[str]


def target(production_url: str, staging_url: str, database: str, hosting: str) -> Target:
    """What is left empty comes from the settings. Raises `Refused` for what is no address or not ours."""
    settings = wiring.settings()
    known = {"database": settings.drills.database_provider, "hosting": settings.drills.hosting_provider}
    for kind, asked in (("database", database), ("hosting", hosting)):
        if asked and asked != known[kind]:
            raise Refused(
                f"The {kind} provider is {known[kind]!r}, not {asked!r}.",
                fix=f"Set FIRSTUSER_{kind.upper()}_PROVIDER={asked} where the flows run.",
            )
    staging = staging_url or settings.preflight.staging_url or wiring.hosting().base_url("staging")
    return Target(
        _address("production", production_url or settings.platform.public_app_url),
        _address("staging", staging),
        known["database"],
        known["hosting"],
    )


def planned(asked: Target) -> Plan:
    """Left out is only what cannot apply: this machine's own addresses have no TLS and no zone."""
    settings, left_out = wiring.settings(), dict[str, str]()
    host = urlsplit(asked.production_url).hostname or ""
    if embedded(settings) and host in LOOPBACK:
        left_out |= dict.fromkeys(_TLS_CHECKS, f"{asked.production_url} is of this machine only")
    if cloudflare(settings) is None:
        why = "no Cloudflare zone is configured: the platform's own domain and TLS count"
        left_out |= dict.fromkeys(_EDGE_CHECKS, why)
    checks = [check for check in CHECKS if check.name not in left_out]
    said = [f"{name}: {why}." for name, why in left_out.items()]
    if not isinstance(wiring.hosting(), VariableLister):
        said.append(f"Variables of staging: {asked.hosting_provider} does not list them.")
    return Plan(checks, [*said, *NOT_CHECKED])


class Looks:
    """`outside` is how services are asked; one answer of production serves all that read it."""

    def __init__(self, asked: Target, outside: Outside | None = None) -> None:
        self._target = asked
        self._outside = outside or Outside()
        self._host = urlsplit(asked.production_url).hostname or ""

    def all(self) -> Mapping[str, Look]:
        return {
            "environment.variables": self.variables,
            "environment.served": self.served,
            "environment.staging": self.staging,
            "service.health": self.health,
            "service.ready": lambda: service.ready(self._production()),
            "domain.tls": self.certificate,
            "domain.redirect": self.redirect,
            "domain.api": self.domain,
            "domain.zone": lambda: service.zone(self._edge().zone(), self._host),
            "domain.edge": lambda: edge.judged(self._edge().edge(self._host), self._host),
            "database.pitr": lambda: database.pitr(wiring.database().backup_policy()),
            "database.wal": self.wal,
            "database.drill": self.drill,
            "alerts.receipt": self.receipt,
            "alerts.dead_man": self.dead_man,
            "smoke": self.smoke,
            "owners.assigned": lambda: people.assigned(self._owners()),
            "owners.reached": lambda: people.reached(self._owners(), system_clock()),
            "rollback.rehearsed": self.rehearsed,
            "secrets.api_keys": self.api_keys,
            "secrets.webhooks": self.webhook_secrets,
            "secrets.platform": self.platform_secrets,
        }

    def variables(self) -> Finding:
        checked = fresh()
        twelve = judged(checked.settings, checked.problems)
        others = [f"{one.name} {one.what}" for one in checked.problems if one.name not in TWELVE]
        rows = [Variable(one.name, one.length, one.secret, one.rule, one.problem, one.fix) for one in twelve]
        return environment.variables(rows, others)

    def served(self) -> Finding:
        settings = fresh_settings()
        return environment.served(self._production(), settings.service.release, configuration(settings))

    def staging(self) -> Finding:
        hosting = wiring.hosting()
        names: list[frozenset[str]] = [frozenset(), frozenset()]
        if isinstance(hosting, VariableLister):
            names = [frozenset(hosting.variables(name)) for name in ("production", "staging")]
        staging = self._outside.served(self._target.staging_url)
        return environment.staging(self._production(), staging, names[0], names[1], NOT_OF_STAGING)

    def health(self) -> Finding:
        return service.health(self._outside.get(f"{self._target.production_url}/api/healthz"))

    def certificate(self) -> Finding:
        parts = urlsplit(self._target.production_url)
        return service.certificate(tls.certificate(self._host, parts.port or 443), system_clock())

    def redirect(self) -> Finding:
        return service.redirect(self._outside.get(f"http://{self._host}/"), self._host)

    def domain(self) -> Finding:
        public = wiring.settings().platform.public_app_url.rstrip("/")
        page, api = self._outside.get(f"{public}/login"), self._outside.get(f"{public}/api/healthz")
        return service.domain(public, self._target.production_url, page, api)

    def wal(self) -> Finding:
        policy = wiring.database().backup_policy()
        return database.wal(policy, wiring.settings().drills.drill_rpo_target_seconds, system_clock())

    def drill(self) -> Finding:
        with wiring.transaction() as session:
            return database.drill(_drill_proof(session), system_clock())

    def receipt(self) -> Finding:
        now = system_clock()
        with wiring.transaction() as session:
            found = alerts.received_tests(session, now - 7 * RECEIPT_FRESH)
        received = [Acknowledged(alert, by, at) for alert, by, at in found]
        return on_alerts.receipt(self._owners(), received, now)

    def dead_man(self) -> Finding:
        """As the watcher reports it: it may stand on another machine."""
        with wiring.transaction() as session:
            watchers = alerts.watchers(session)
        heard = [one.dead_man_ok_at for one in watchers if one.dead_man_ok_at is not None]
        configured = any(one.dead_man for one in watchers)
        return on_alerts.dead_man(configured, max(heard, default=None), system_clock())

    def smoke(self) -> Finding:
        """One at a time: the tenant has one name."""
        settings = wiring.settings().preflight
        place = Place(
            self._target.production_url,
            browsing.executable(),
            settings.smoke_receiver_url,
            settings.smoke_receiver_port,
        )
        with wiring.smoke_lock():
            return smoke.run(place, SyntheticTenant())

    def rehearsed(self) -> Finding:
        with wiring.transaction() as session:
            found = rehearsals.last_passed(session)
        return people.rehearsed(found, fresh_settings().service.release, system_clock())

    def api_keys(self) -> Finding:
        with wiring.transaction() as session:
            ages = secret_ages.api_keys(session, system_clock())
        return secrets.within(ages, PARTNER_SECRET_DAYS, system_clock(), nothing="no integration has a key")

    def webhook_secrets(self) -> Finding:
        with wiring.transaction() as session:
            ages = secret_ages.webhook_secrets(session, system_clock())
        said = "no integration has a secret of its own"
        return secrets.within(ages, PARTNER_SECRET_DAYS, system_clock(), nothing=said)

    def platform_secrets(self) -> Finding:
        """By the rotation that made them; whoever never rotated does not know how old they are."""
        with wiring.transaction() as session:
            versions = rotation.current_versions(session).values()
            last = secret_ages.last_incident(session)
        made = {one.kind: one.current_at or one.minted_at for one in versions}
        ages = [Age(kind, made.get(kind)) for kind in PLATFORM_KINDS]
        return secrets.within(ages, PLATFORM_SECRET_DAYS, system_clock(), nothing="", last_incident=last)

    def _edge(self) -> Cloudflare:
        """Raises `Refused` where `planned` has left its checks out."""
        found = cloudflare(wiring.settings())
        if found is None:
            raise Refused("No Cloudflare zone is configured.", fix="Set CLOUDFLARE_ZONE_ID and its token.")
        return found

    def _production(self) -> Served:
        return self._outside.served(self._target.production_url)

    def _owners(self) -> Sequence[owners.Owner]:
        with wiring.transaction() as session:
            return owners.all_owners(session)


def fresh() -> Checked:
    """Production's settings as they are now, not as they were when this process began, with what its newest
    deploy sets over them."""
    hosting = wiring.hosting()
    return check_settings(over=hosting.over(PRODUCTION) if isinstance(hosting, Deployer) else None)


def fresh_settings() -> Settings:
    return fresh().settings


def _drill_proof(session: Session) -> DrillProof | None:
    passed = drills.last_passed(session)
    if passed is None or passed.finished_at is None:
        return None
    record = next(
        (one for one in evidence.records(session, drills.EVIDENCE_STREAM) if one.id == passed.evidence_id),
        None,
    )
    said = {"id": passed.id, "status": passed.status.value, "rto_seconds": passed.rto_seconds}
    return DrillProof(
        id=passed.id,
        finished_at=passed.finished_at,
        rto_seconds=passed.rto_seconds or 0.0,
        rpo_seconds=passed.rpo_seconds or 0.0,
        evidence=passed.evidence_id or "",
        recorded=record is not None and all(record.body.get(name) == value for name, value in said.items()),
        chain_fault=evidence.verify(session, drills.EVIDENCE_STREAM) or "",
    )


def _address(what: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Refused(
            f"The {what} address {url!r} is no web address.", fix="Write it as https://app.firstuser.com."
        )
    return url.rstrip("/")
