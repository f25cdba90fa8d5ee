"""The composition root of whatever sends webhooks: the dispatcher's process, the retry flow, a bench."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from api import tracing
from api.core.access import synthetic
from api.core.alerts import service as alerts
from api.core.alerts.catalogue import ENDPOINT, EXHAUSTED, OVERDUE
from api.core.crypto import Vault, data_keys
from api.core.flags import service as flags
from api.core.flags.rules import FlagKey, Values, parse_overrides
from api.core.webhooks import deliveries, liveness, replays, standing
from api.core.webhooks.attempts import Sender
from api.core.webhooks.dispatcher import Ports
from api.core.webhooks.settling import Settled
from api.core.webhooks.signing import PlatformSecrets
from api.core.webhooks.standing import database_now
from api.core.webhooks.targets import is_loopback_url
from api.db.address import DatabaseAddress
from api.db.engine import make_engine, session_scope
from api.providers.webhooks.curl import CurlSender
from api.providers.webhooks.traced import TracedSender
from api.settings import Settings
from api.settings.rings import DATA_KEY, WEBHOOK, rings

OVERDUE_AFTER = timedelta(minutes=5)
"""Longer than a dispatcher takes, or a minutely run on a busy Prefect."""


def ports(
    settings: Settings,
    application_name: str,
    sender: Sender | None = None,
    address: DatabaseAddress | None = None,
) -> Ports:
    """What a dispatcher works with. The sender belongs to the loop that runs it; `address`: of one that
    may change."""
    platform, service = settings.platform, settings.service
    known = rings(platform, service)
    engine = make_engine(
        address or platform.database_url.get_secret_value(), pool_size=3, application_name=application_name
    )
    return Ports(
        transaction=partial(session_scope, engine),
        vault=Vault(data_keys(*known.get(DATA_KEY, []))),
        sender=sender or _sender(platform.public_app_url),
        may_send=partial(may_send, parse_overrides(service.flags)),
        fallback=PlatformSecrets(known.get(WEBHOOK, [])),
        on_settled=partial(page, service.env),
        tend=partial(tend, timedelta(seconds=service.live_ttl_seconds)),
        uncounted=frozenset({synthetic.INTEGRATION_ID}),
    )


def _sender(public_app_url: str) -> Sender:
    made = CurlSender(loopback_allowed=is_loopback_url(public_app_url))
    return TracedSender(made) if tracing.on() else made


def may_send(overrides: Values, session: Session) -> Callable[[str], bool]:
    """By an integration's id: neither it nor its space nor everything is paused."""
    paused = flags.reading(session, FlagKey.WEBHOOK_RETRIES_PAUSED, overrides)
    return lambda integration_id: not paused(integration_id)


def check_overdue(env: str, overrides: Values, session: Session, now: datetime) -> None:
    """The SLO: what waits for nobody but a dispatcher does not wait long. What is paused, or slowed for an
    endpoint's sake, is counted apart."""
    oldest = standing.oldest_due(session, now, may_send(overrides, session))
    if oldest is None or now - oldest < OVERDUE_AFTER:
        alerts.resolve(session, OVERDUE.name, env=env, now=now)
        return
    minutes = round((now - oldest).total_seconds() / 60)
    message = f"The oldest webhook has been due for {minutes} minutes, and nobody sends it."
    alerts.raise_(session, OVERDUE.name, env=env, message=message, now=now)


def tend(live_window: timedelta, session: Session) -> None:
    """Replays get on, and who came or left is told of."""
    now = database_now(session)
    replays.advance(session, now)
    liveness.look(session, now, live_window)


def page(env: str, session: Session, settled: Settled, now: datetime) -> None:
    """An alert for what was given up and for endpoints that were switched off, in the settling's own
    transaction. In the order of their identities, as `alerts.raise_` wants it."""
    for endpoint_id, why in sorted(settled.disabled):
        message = f"Endpoint {endpoint_id} was switched off: {why}."
        alerts.raise_(session, ENDPOINT.name, endpoint_id, env=env, message=message, now=now)
    for one in sorted(settled.exhausted, key=lambda one: (one.claimed.endpoint.id, str(one.claimed.id))):
        endpoint, tries = one.claimed.endpoint, str(one.verdict.attempts)
        status = (one.attempt.status_code or one.attempt.failure) if one.attempt else None
        alerts.raise_(
            session,
            EXHAUSTED.name,
            endpoint.id,
            endpoint.integration_id,
            env=env,
            message=f"A webhook to endpoint {endpoint.id} was given up after {tries} attempts.",
            now=now,
            metadata={
                "integration_app_id": endpoint.integration_id,
                "delivery_id": deliveries.public_id(one.claimed.id),
                "attempt": tries,
                "status": str(status or "none"),
            },
        )
