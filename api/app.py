"""The composition root of the web door: `create_app(settings)`, and `production_app` for a server to call."""

import asyncio
import signal
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from types import FrameType

import httpx
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import dispatching, evidence_keys, log, tracing
from api.core.alerts import reports
from api.core.alerts.desk import Desk
from api.core.alerts.outbox import Words
from api.core.chat.token import WidgetKeys
from api.core.clock import frozen_clock, system_clock
from api.core.crypto import Signer, Vault, data_keys
from api.core.flags.rules import parse_overrides
from api.core.incidents.pace import Pace
from api.core.keys.known import KnownKeys
from api.core.ports import DatabaseProvider
from api.core.webhooks.signing import PlatformSecrets
from api.db import migrate
from api.db.address import DatabaseAddress
from api.db.engine import make_engine, session_scope
from api.db.hot import HotConnections
from api.db.listening import Listener
from api.following import turn
from api.http import errors, static, widget_chat
from api.http.alert_loop import AlertLoop
from api.http.chat_feed import ChatFeed
from api.http.cookies import Cookies
from api.http.draining import Draining
from api.http.exchange_tally import ExchangeReports
from api.http.fast_lane import FastLane
from api.http.flag_board import FlagBoard
from api.http.hot_calls import HotCalls
from api.http.live_counts import LiveCounts
from api.http.live_feed import LiveFeed, look_with
from api.http.middleware import BodyLimit, RequestContext, SameOrigin, origin_of
from api.http.proof_of_work import Proofs
from api.http.rate_limits import Buckets, RateLimits
from api.http.readiness import Readiness
from api.http.recent import Recent
from api.http.routers import ROUTERS
from api.http.run_loop import RunLoop
from api.http.sampler import Sampler
from api.http.services import Services
from api.live_rings import LiveRings
from api.providers.alerting import channels as alert_channels
from api.providers.messaging import messenger
from api.providers.orchestration.prefect import Prefect
from api.providers.webhooks import sender as webhook_sender
from api.rotating import rotations
from api.settings import Settings, named_file
from api.settings.check import check, listing
from api.settings.rings import DATA_KEY, DATABASE, SESSION, WEBHOOK, WIDGET, rings

HOT_CONNECTIONS = 5
HOME_NUMBERS_S = 5.0
MEASURED_S = 5.0


def production_app() -> FastLane:
    """For `uvicorn --factory api.app:production_app`: settings from the environment, logs as JSON lines.

    Exits with 1 and all that is wrong with the settings when anything is."""
    log.configure("api")
    checked = check()
    if checked.problems:
        sys.exit(listing(checked.problems))
    tracing.start("firstuser-api", checked.settings.tracing)
    return in_fast_lane(create_app(checked.settings, secrets_file=named_file()))


def in_fast_lane(app: FastAPI) -> FastLane:
    """As it is served: what is asked most is answered in front of it."""
    return FastLane(app, app.state.services)


def create_app(
    settings: Settings, product: httpx.BaseTransport | None = None, secrets_file: Path | None = None
) -> FastAPI:
    """The application. Touches neither network nor database until the first request. `product` carries the
    calls by which a rotation proves itself, in tests; otherwise they go to PUBLIC_APP_URL. `secrets_file` is
    looked at again and again: what changes there is taken on."""
    app = FastAPI(
        title="FirstUser",
        version=settings.service.release,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=_operation_id,
    )
    app.state.services = compose(settings, product, secrets_file)
    public_url = settings.platform.public_app_url
    app.add_middleware(SameOrigin, public_url=public_url)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestContext, https=public_url.startswith("https://"))
    if proxies := settings.service.trusted_proxy_list:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    errors.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", static.files())
    return app


def compose(
    settings: Settings, product: httpx.BaseTransport | None = None, secrets_file: Path | None = None
) -> Services:
    """Everything the routes work with. Raises `Refused` when a secret is missing or too short."""
    platform, service = settings.platform, settings.service
    known = rings(platform, service)
    ring = known.get(SESSION, [])
    address = DatabaseAddress(platform.database_url.get_secret_value())
    draining = Draining()
    hot = HotConnections(address, HOT_CONNECTIONS, f"firstuser-hot-{service.env}")
    keys, live_counts = KnownKeys(), LiveCounts()
    engine = make_engine(address, pool_size=10, application_name=f"firstuser-api-{service.env}")
    evidence_keys.sign(engine, settings, secrets_file)

    clock = frozen_clock(service.as_of) if service.as_of else system_clock
    transaction = partial(session_scope, engine)
    flags = FlagBoard(address, parse_overrides(service.flags))

    whole = service.restored_copy is None and service.as_of is None  # and not a copy of the past
    words = Words(service.env, platform.public_app_url, settings.alerts.runbooks_url)
    overdue = partial(dispatching.check_overdue, service.env, flags.overrides)
    channels = alert_channels(platform, settings.alerts, service)

    vault = Vault(data_keys(*known.get(DATA_KEY, [])))
    code_signer, session_signer = Signer(ring, "login-code"), Signer(ring, "session-cookie")
    watcher_signer, proofs = Signer(ring, reports.PURPOSE), Proofs(ring)
    widget_keys = WidgetKeys(known.get(WIDGET, []), origin_of(platform.public_app_url))
    fallback = PlatformSecrets(known.get(WEBHOOK, []))
    live_rings = LiveRings(
        f"api-{service.env}",
        known,
        secrets_file,
        {
            SESSION: [code_signer.turn, session_signer.turn, watcher_signer.turn, proofs.turn],
            WIDGET: [widget_keys.turn],
            WEBHOOK: [fallback.turn],
            DATA_KEY: [lambda values: vault.turn(data_keys(*values))],
            DATABASE: [turn(address), lambda _: engine.dispose()],
        },
        transaction,
    )
    carrier = messenger(settings)
    prefect = Prefect.from_settings(service)

    @cache
    def backups() -> DatabaseProvider:
        # Imported on the first look at the backups: a service that is being re-pointed starts without it.
        from api.providers.databases.registry import database_provider

        return database_provider(settings)

    return Services(
        settings=settings,
        transaction=transaction,
        vault=vault,
        code_signer=code_signer,
        session_signer=session_signer,
        watcher_signer=watcher_signer,
        widget_keys=widget_keys,
        webhook_fallback=fallback,
        live_rings=live_rings,
        clock=clock,
        messenger=carrier,
        webhooks=webhook_sender(settings),
        rotations=rotations(
            settings,
            engine,
            transaction,
            vault,
            carrier,
            partial(webhook_sender, settings),
            clock,
            product,
        ),
        prefect=prefect,
        backups=backups,
        readiness=Readiness(address, migrate.head(), draining),
        draining=draining,
        cookies=Cookies.from_settings(settings),
        hot=hot,
        calls=HotCalls(hot, clock, live_counts, service.live_ttl_seconds),
        live_counts=live_counts,
        keys=keys,
        key_changes=Listener(
            address, f"firstuser-keys-{service.env}", {"api_keys": keys.forget}, standing=keys.stand
        ),
        limits=RateLimits(service.rate_limit_per_second, service.rate_limit_burst),
        chat_limits=Buckets(widget_chat.MESSAGES_PER_SECOND, widget_chat.MESSAGES_AT_ONCE),
        flags=flags,
        chat_feed=ChatFeed(address, transaction, flags, draining),
        sampler=Sampler(
            transaction,
            clock,
            service.live_ttl_seconds,
            enabled=whole,
        ),
        proofs=proofs,
        alert_loop=AlertLoop(Desk(transaction, channels, words, system_clock, overdue), enabled=whole),
        run_loop=RunLoop(
            transaction,
            prefect,
            service.env,
            system_clock,
            enabled=whole and bool(service.prefect_api_url) and service.env != "staging",
        ),
        exchange_reports=ExchangeReports(
            transaction,
            Pace(settings.incidents.incident_clock_origin, settings.incidents.incident_clock_rate),
            lambda: flags.fingerprint,
            service.release,
            service.deploy_id,
            enabled=whole,
        ),
        home_numbers=Recent(HOME_NUMBERS_S),
        measured=Recent(MEASURED_S),
        live_feed=LiveFeed(look_with(transaction, clock, service.live_ttl_seconds), draining),
        allowed_phones=frozenset(platform.founder_phone_list),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    services: Services = app.state.services
    _drain_on_sigterm(services)
    _look_on_sighup(services)
    async with (
        services.flags.following(),
        services.live_rings.running(),
        services.key_changes.listening(),
        services.sampler.running(),
        services.alert_loop.running(),
        services.run_loop.running(),
        services.exchange_reports.running(),
    ):
        yield
    await services.calls.drain()
    await services.hot.close()
    await services.chat_feed.close()
    await services.readiness.close()
    await run_in_threadpool(tracing.stop)


def _drain_on_sigterm(services: Services) -> None:
    """On SIGTERM readyz turns 503 first; streams end and the server's own handler follows when the balancer
    has seen it. A second SIGTERM does not wait for the balancer."""
    server = signal.getsignal(signal.SIGTERM)
    if not callable(server) or threading.current_thread() is not threading.main_thread():
        return  # no server is in charge of signals: a test, or a thread
    loop, draining = asyncio.get_running_loop(), services.draining

    def leave(number: int) -> None:
        if not draining.ending:
            draining.end()
            server(number, None)

    def drain(number: int, _: FrameType | None) -> None:
        interval = 0.0 if draining.begun else services.settings.service.drain_seconds
        draining.begin()
        loop.call_soon_threadsafe(loop.call_later, interval, leave, number)

    signal.signal(signal.SIGTERM, drain)


def _look_on_sighup(services: Services) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGHUP, lambda _number, _frame: loop.call_soon_threadsafe(services.live_rings.hint))


def _operation_id(route: APIRoute) -> str:
    return f"{route.tags[0] if route.tags else 'page'}_{route.name}"
