"""A look at `readyz` from outside, and whoever looks beside the flows.

The watcher looks in order to page. Rule R2 needs the same looks where the flows run: in the watcher's file if
they share one, else in one of their own, which `looking` writes.
"""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from urllib.parse import urlsplit

import httpx

from api.core.alerts import probing
from api.core.alerts.probing import Seen
from api.core.clock import Clock, system_clock
from api.core.incidents.readiness import Outcome, Probe
from api.providers import probe_spool
from api.settings import AlertSettings, PlatformSettings

READYZ = "/api/readyz"
TIMEOUT = httpx.Timeout(3)


def address(alerts: AlertSettings, platform: PlatformSettings) -> str:
    return alerts.watcher_readyz_url or f"{platform.public_app_url.rstrip('/')}{READYZ}"


def client() -> httpx.Client:
    return httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False)


def look(http: httpx.Client, url: str) -> tuple[Seen, Outcome]:
    """`UNKNOWN`: this machine has no way there, so the silence is its own."""
    try:
        answer = http.get(f"{url}?verbose")
    except httpx.HTTPError as error:
        outcome = Outcome.FAIL if has_a_way(url) else Outcome.UNKNOWN
        return probing.silent(type(error).__name__), outcome
    outcome = Outcome.PASS if answer.status_code == 200 else Outcome.FAIL
    try:
        return probing.judge(answer.status_code, answer.json()), outcome
    except ValueError:
        return probing.judge(answer.status_code, None), outcome


def has_a_way(url: str) -> bool:
    """Whether this machine knows a route to the host. Sends nothing: a datagram socket only looks it up."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_DGRAM)
        with socket.socket(found[0][0], socket.SOCK_DGRAM) as probe:
            probe.connect(found[0][4])
    except socket.gaierror as error:
        return error.errno != socket.EAI_AGAIN  # a name that does not exist is the service's trouble
    except OSError:
        return False
    return True


@contextmanager
def looking(url: str, file: Path, every_s: float, clock: Clock = system_clock) -> Generator[None]:
    """Looks until the end of the block, and leaves in `file` what it saw."""
    stop = Event()
    thread = Thread(target=_look_on, args=(url, file, every_s, clock, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT.read)


def _look_on(url: str, file: Path, every_s: float, clock: Clock, stop: Event) -> None:
    with client() as http:
        while not stop.is_set():
            seen, outcome = look(http, url)
            probe_spool.append(file, Probe(clock(), outcome, seen.detail))
            stop.wait(every_s)
