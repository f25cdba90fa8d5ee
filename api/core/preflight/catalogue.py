"""The literal list of checks (runbook section 6), in the order in which people read them.

`group` is the number in the list of what must hold, see `GROUPS`.
"""

from collections.abc import Sequence
from datetime import timedelta

from api.core.preflight.records import Check, Role

CERTIFICATE_DAYS = 14
RETENTION_DAYS = 14
DRILL_FRESH = timedelta(days=7)
RECEIPT_FRESH = timedelta(hours=24)
PROBE_FRESH = timedelta(hours=1)
REHEARSAL_FRESH = timedelta(days=30)
PARTNER_SECRET_DAYS = 90
PLATFORM_SECRET_DAYS = 180


CHECKS: Sequence[Check] = (
    Check(
        "environment.variables",
        1,
        "Variables of production",
        "the twelve variables of the runbook as their rules ask, none a placeholder",
        "Run `firstuser env check` with production's variables (on one machine: `firstuser env check --file "
        "var/secrets/production.env`), correct what it names, restart, run the preflight again.",
        "preflight-environment",
    ),
    Check(
        "environment.served",
        1,
        "Production serves what is judged",
        "the release and the configuration that this run reads",
        "Restart or redeploy production, so that it serves this release with these settings.",
        "preflight-environment",
        after=("environment.variables", "service.ready"),
        attempts=2,
    ),
    Check(
        "environment.staging",
        1,
        "Staging mirrors production",
        "same variables, Postgres major, migration head and release family",
        "Bring staging to production's release, migrations, Postgres major and variables.",
        "preflight-environment",
        after=("service.ready",),
        attempts=2,
    ),
    Check(
        "service.health",
        2,
        "healthz",
        "200 from /api/healthz",
        "Read the log of the production API; nothing listens, or its event loop is stuck.",
        "preflight-service",
        Role.INCIDENT,
        attempts=3,
    ),
    Check(
        "service.ready",
        2,
        "readyz",
        "200 from /api/readyz, every check ok",
        "Look at the failing check of /api/readyz?verbose: database, migrations or draining.",
        "preflight-service",
        Role.INCIDENT,
        after=("service.health",),
        attempts=3,
    ),
    Check(
        "domain.tls",
        2,
        "TLS certificate",
        f"trusted, for this host, valid for {CERTIFICATE_DAYS} days or more",
        "Renew the certificate, or repair its automatic renewal, and look at the chain that is served.",
        "preflight-domain",
        attempts=2,
    ),
    Check(
        "domain.redirect",
        2,
        "http leads to https",
        "a redirect from http:// to https:// on the same host",
        "Switch on the redirect to https at the edge or the platform.",
        "preflight-domain",
        attempts=2,
    ),
    Check(
        "domain.api",
        2,
        "API on the app's domain",
        "the product and its API at PUBLIC_APP_URL, as production",
        "Point the domain at production, or correct PUBLIC_APP_URL.",
        "preflight-domain",
        after=("service.health",),
        attempts=2,
    ),
    Check(
        "domain.zone",
        2,
        "Cloudflare zone",
        "active, and the one of this domain",
        "Finish the zone's set-up at Cloudflare (name servers), or correct CLOUDFLARE_ZONE_ID.",
        "preflight-domain",
        attempts=2,
    ),
    Check(
        "domain.edge",
        2,
        "Cloudflare's settings",
        "SSL full (strict), TLS 1.2 or newer, always https, the app's DNS record proxied",
        "Set in the zone: SSL/TLS → Full (strict); Edge Certificates → Minimum TLS, Always Use HTTPS; DNS.",
        "preflight-domain",
        attempts=2,
    ),
    Check(
        "database.pitr",
        3,
        "Point-in-time recovery",
        f"on, kept for {RETENTION_DAYS} days or more",
        "Switch on WAL archiving or the vendor's PITR, and raise the retention.",
        "preflight-database",
        Role.INCIDENT,
        timeout_s=30,
    ),
    Check(
        "database.wal",
        3,
        "Newest restorable moment",
        "not older than the RPO target allows",
        "Find out why WAL is not archived: `firstuser backups`, the database's log, the store.",
        "preflight-database",
        Role.INCIDENT,
        timeout_s=30,
        attempts=2,
    ),
    Check(
        "database.drill",
        3,
        "Restore drill",
        f"passed in the last {DRILL_FRESH.days} days, and its evidence verifies again",
        "Run `firstuser drill`; if the evidence does not verify, `firstuser evidence verify` says where.",
        "restore-drill",
        Role.INCIDENT,
        fresh_for=DRILL_FRESH,
        waivable=False,
    ),
    Check(
        "alerts.receipt",
        4,
        "Alerts reach the owners",
        "a test alert acknowledged (L2) by incident and rollback owner in the last 24 hours",
        "Send a test alert for each owner (`firstuser alerts test`), who opens its link and gives "
        "the name by which they are owner.",
        "preflight-alerts",
        Role.INCIDENT,
        fresh_for=RECEIPT_FRESH,
        waivable=False,
    ),
    Check(
        "alerts.dead_man",
        4,
        "Dead-man's switch",
        "the watcher's outgoing heartbeat was heard in the last minutes (L3)",
        "Set FIRSTUSER_DEAD_MAN_URL to the outside service's ping address and see that the watcher runs.",
        "preflight-alerts",
        Role.INCIDENT,
    ),
    Check(
        "smoke",
        5,
        "Integration smoke test",
        "every step of a real partner works, and every forbidden one is refused",
        "Read the first step that does not hold; the API's log has its request id.",
        "preflight-smoke",
        Role.INCIDENT,
        after=("service.ready",),
        timeout_s=120,
    ),
    Check(
        "owners.assigned",
        6,
        "Incident and rollback owner",
        "both assigned, with a channel; different people, or the same with a reason",
        "Assign each on the Ops page, or: `firstuser owners assign incident NAME --email ADDRESS`, and the "
        "same with `rollback`.",
        "preflight-owners",
        waivable=False,
    ),
    Check(
        "owners.reached",
        6,
        "Owners are reachable",
        "each has confirmed by their own channel in the last 7 days",
        "Send the call again (Ops page, or `firstuser owners call ROLE`) and have them open its link.",
        "preflight-owners",
        after=("owners.assigned",),
        waivable=False,
    ),
    Check(
        "rollback.rehearsed",
        6,
        "Rollback rehearsed",
        "there is a release to go back to, and going there and back was tried on staging",
        "Deploy this release to staging (`firstuser release deploy staging NAME`), then rehearse: "
        "`firstuser preflight rehearse`.",
        "preflight-rollback",
        Role.ROLLBACK,
        fresh_for=REHEARSAL_FRESH,
    ),
    Check(
        "secrets.api_keys",
        7,
        "Integration API keys",
        f"none older than {PARTNER_SECRET_DAYS} days",
        "Rotate the keys: Founder Tools → Integrate → Rotate Key, or `firstuser rotate run --due`.",
        "preflight-secrets",
    ),
    Check(
        "secrets.webhooks",
        7,
        "Webhook signing secrets",
        f"none older than {PARTNER_SECRET_DAYS} days",
        "Rotate the secrets: Founder Tools → Integrate → Rotate Secret, or `firstuser rotate run --due`.",
        "preflight-secrets",
    ),
    Check(
        "secrets.platform",
        7,
        "Platform secrets",
        f"none older than {PLATFORM_SECRET_DAYS} days, all newer than the last incident",
        "Rotate what is due: `firstuser rotate run --due`; after an incident `firstuser rotate run NAME` for "
        "each that `firstuser rotate plan` names.",
        "preflight-secrets",
    ),
)

GROUPS = {
    1: "Environment",
    2: "Service and domain",
    3: "Database",
    4: "Alerts",
    5: "Integration smoke test",
    6: "Owners and rollback",
    7: "Secrets",
}

NOT_CHECKED: Sequence[str] = (
    "Whether people like the product: a preflight looks at machinery.",
    "Load: how much it carries is measured by `firstuser bench`.",
    "SMS and e-mail carriers: no message leaves for a real person.",
    "The rollback in production: it is rehearsed on staging.",
)
"""What no run looks at. Each run adds what it left out, and why."""


def names() -> list[str]:
    return [check.name for check in CHECKS]
