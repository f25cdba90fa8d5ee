"""What every route works with, made once by `api.app` and carried by the application."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass

from fastapi import Request

from api.core.access.service import Standing
from api.core.chat.token import WidgetKeys
from api.core.clock import Clock
from api.core.crypto import Signer, Vault
from api.core.keys.known import KnownKeys
from api.core.ports import DatabaseProvider, Messenger
from api.core.webhooks.attempts import Sender
from api.core.webhooks.signing import PlatformSecrets
from api.db.engine import Session
from api.db.hot import HotConnections
from api.db.listening import Listener
from api.http.alert_loop import AlertLoop
from api.http.chat_feed import ChatFeed
from api.http.cookies import Cookies
from api.http.draining import Draining
from api.http.exchange_tally import ExchangeReports
from api.http.flag_board import FlagBoard
from api.http.hot_calls import HotCalls
from api.http.live_counts import LiveCounts
from api.http.live_feed import LiveFeed
from api.http.measured import Measured
from api.http.proof_of_work import Proofs
from api.http.rate_limits import Buckets, RateLimits
from api.http.readiness import Readiness
from api.http.recent import Recent
from api.http.run_loop import RunLoop
from api.http.sampler import Sampler
from api.live_rings import LiveRings
from api.providers.orchestration.prefect import Prefect
from api.rotating import Rotations
from api.settings import Settings


@dataclass(frozen=True, slots=True)
class HomeNumbers:
    """What the homepage says of its space."""

    live: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Services:
    """`transaction` commits at the end of its block; `clock` is the product's, which may stand still."""

    settings: Settings
    transaction: Callable[[], AbstractContextManager[Session]]
    vault: Vault
    code_signer: Signer
    session_signer: Signer
    watcher_signer: Signer
    widget_keys: WidgetKeys
    webhook_fallback: PlatformSecrets
    live_rings: LiveRings
    clock: Clock
    messenger: Messenger
    webhooks: Sender
    rotations: Rotations
    prefect: Prefect
    backups: Callable[[], DatabaseProvider]
    readiness: Readiness
    draining: Draining
    cookies: Cookies
    flags: FlagBoard
    hot: HotConnections
    calls: HotCalls
    live_counts: LiveCounts
    keys: KnownKeys
    key_changes: Listener
    limits: RateLimits
    chat_limits: Buckets
    chat_feed: ChatFeed
    live_feed: LiveFeed
    sampler: Sampler
    proofs: Proofs
    alert_loop: AlertLoop
    run_loop: RunLoop
    exchange_reports: ExchangeReports
    home_numbers: Recent[HomeNumbers]
    measured: Recent[Measured]
    allowed_phones: Collection[str]

    @property
    def reaches_people(self) -> bool:
        """Whether messages leave this machine."""
        return self.messenger.name != "outbox"

    @property
    def join_needs_proof(self) -> bool:
        """Without https no browser computes; where no mail leaves this machine nothing is to be protected."""
        asked = self.settings.service.join_proof_of_work
        https = self.settings.platform.public_app_url.startswith("https://")
        return self.reaches_people and https if asked is None else asked


def services(request: Request) -> Services:
    return request.app.state.services
