"""Traffic, so that the database keeps changing while it is backed up and drilled.

    python -m deployments.local.traffic --base-url http://127.0.0.1:8000 --rate 10 --seconds 60

Heartbeats and exchanges go over HTTP with the partners' keys; people joining, being accepted and rejected go
through core in a session of their own. Keeps going while either side is away or damaged. Ends on SIGTERM or
after `--seconds` (0: never) and prints what it did as one JSON object.
"""

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from types import FrameType

import httpx
from sqlalchemy.exc import DBAPIError

from api.core.access import codes, waitlist
from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.db.engine import Engine, make_engine, session_scope
from api.following import followed
from api.settings import Settings, load, named_file
from api.settings.rings import DATA_KEY, rings
from deployments.local.seed import partner_keys_file

_HEARTBEAT = "/api/integration/v1/heartbeat"
_EXCHANGE = "/api/integration/v1/access/exchange"
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0)
_KNOWN_USERS = 2_000


@dataclass(slots=True)
class Tally:
    """`retries`: times the API or the database was away or damaged; `refused`: answers 4xx, unexpected."""

    seconds: float = 0.0
    actions: int = 0
    heartbeats: int = 0
    users_seen: int = 0
    users_rejected: int = 0
    joined: int = 0
    accepted: int = 0
    exchanged: int = 0
    rejected: int = 0
    refused: int = 0
    retries: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    latencies: deque[float] = field(default_factory=lambda: deque[float](maxlen=10_000), repr=False)


@dataclass(slots=True)
class Partner:
    integration_id: str
    api_key: str
    users: list[str]


class Traffic:
    def __init__(self, http: httpx.Client, engine: Engine, vault: Vault, partners: Sequence[Partner]) -> None:
        self._http, self._engine, self._vault, self._partners = http, engine, vault, partners
        self._rng = random.Random()  # noqa: S311  which made-up person does what
        self.tally = Tally()

    def act(self) -> None:
        """One action of a random partner; mostly heartbeats."""
        partner = self._rng.choice(self._partners)
        actions: Sequence[Callable[[Partner], None]] = (self.heartbeat, self.join, self.accept, self.reject)
        self._rng.choices(actions, (80, 10, 7, 3))[0](partner)
        self.tally.actions += 1

    def heartbeat(self, partner: Partner) -> None:
        if not partner.users:
            return
        users = self._rng.sample(partner.users, min(len(partner.users), self._rng.randint(1, 20)))
        body = [{"external_user_id": user, "status": self._status()} for user in users]
        started = time.perf_counter()
        answer = self._post(partner, _HEARTBEAT, {"users": body})
        if answer is None:
            return
        self.tally.latencies.append(time.perf_counter() - started)
        self.tally.heartbeats += 1
        self.tally.users_seen += answer.json()["accepted"]
        self.tally.users_rejected += answer.json()["rejected"]

    def join(self, partner: Partner) -> None:
        user = f"u-{self._rng.getrandbits(40):010x}"
        with session_scope(self._engine) as session:
            now = system_clock()
            waitlist.join(session, self._vault, partner.integration_id, user, now, f"{user}@example.com")
        self.tally.joined += 1

    def accept(self, partner: Partner) -> None:
        """The founder accepts, the visitor brings the code, the partner exchanges it."""
        with session_scope(self._engine) as session:
            now, brought = system_clock(), dict[str, str]()
            for entry in waitlist.oldest_waiting(session, partner.integration_id, 1):
                waitlist.accept(session, entry, now)
                code = codes.issue(session, entry.id, partner.integration_id, now)
                brought[entry.external_user_id] = code
        self.tally.accepted += len(brought)
        for user, code in brought.items():
            if self._post(partner, _EXCHANGE, {"code": code}):
                self.tally.exchanged += 1
                partner.users.append(user)

    def reject(self, partner: Partner) -> None:
        with session_scope(self._engine) as session:
            entries = waitlist.oldest_waiting(session, partner.integration_id, 1)
            for entry in entries:
                waitlist.reject(session, entry, system_clock())
        self.tally.rejected += len(entries)

    def _post(self, partner: Partner, path: str, body: object) -> httpx.Response | None:
        """None, counted, for a refusal. Raises `httpx.TransportError` when the API is away or damaged."""
        headers = {"Authorization": f"Bearer {partner.api_key}"}
        answer = self._http.post(path, json=body, headers=headers)
        if answer.status_code >= 500:
            raise httpx.RemoteProtocolError(f"answered {answer.status_code}")
        if answer.is_error:
            self.tally.refused += 1
            return None
        return answer

    def _status(self) -> str:
        return "left" if self._rng.random() < 0.05 else "live"


def run(traffic: Traffic, rate: float, seconds: float, stop: threading.Event) -> Tally:
    """Act `rate` times a second until the time is up or `stop` is set. Time lost while a side was away is not
    made up for: a returning API is not met by a flood."""
    started, due, failures = time.monotonic(), time.monotonic(), 0
    while not stop.is_set() and (not seconds or time.monotonic() - started < seconds):
        try:
            traffic.act()
            failures = 0
        except (httpx.TransportError, DBAPIError):
            traffic.tally.retries += 1
            stop.wait(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            failures += 1
        due = max(due + 1 / rate, time.monotonic() - 1 / rate)
        stop.wait(max(0.0, due - time.monotonic()))
    return _closed(traffic.tally, time.monotonic() - started)


def _closed(tally: Tally, seconds: float) -> Tally:
    tally.seconds = round(seconds, 2)
    ordered = sorted(tally.latencies)
    if ordered:
        tally.p50_ms = round(ordered[len(ordered) // 2] * 1000, 1)
        tally.p95_ms = round(ordered[int(len(ordered) * 0.95)] * 1000, 1)
    return tally


def make(settings: Settings, base_url: str) -> Traffic:
    """Raises `FileNotFoundError` when nothing was seeded yet."""
    keys: dict[str, str] = json.loads(partner_keys_file(settings).read_text())
    vault = Vault(data_keys(*rings(settings.platform, settings.service)[DATA_KEY]))
    engine = make_engine(
        followed(settings, named_file(), vault), pool_size=1, application_name="firstuser-traffic"
    )
    with session_scope(engine) as session:
        partners = [
            Partner(integration, key, list(waitlist.users_with_grant(session, integration, _KNOWN_USERS)))
            for integration, key in keys.items()
        ]
    http = httpx.Client(base_url=base_url, timeout=10, trust_env=False)
    return Traffic(http, engine, vault, partners)


def _end(stop: threading.Event, _number: int, _frame: FrameType | None) -> None:
    stop.set()


def main(argv: Sequence[str] | None = None) -> int:
    settings = load()
    parser = argparse.ArgumentParser(prog="traffic", description="Keep the database changing.")
    parser.add_argument("--base-url", default=settings.platform.public_app_url)
    parser.add_argument(
        "--rate", type=float, default=settings.stack.traffic_rate or 10.0, help="actions a second"
    )
    parser.add_argument("--seconds", type=float, default=0.0, help="0: until stopped")
    asked = parser.parse_args(argv)
    if asked.rate <= 0:
        parser.error("--rate must be above 0")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, partial(_end, stop))
    tally = run(make(settings, asked.base_url), asked.rate, asked.seconds, stop)
    shown = {name: value for name, value in asdict(tally).items() if name != "latencies"}
    sys.stdout.write(json.dumps(shown) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
