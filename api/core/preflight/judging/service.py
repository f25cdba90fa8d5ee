"""2: probes, certificate, redirect, domain and zone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from api.core.preflight.catalogue import CERTIFICATE_DAYS
from api.core.preflight.judging import verdict
from api.core.preflight.judging.environment import Served
from api.core.preflight.records import Finding, State


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer; `problem` when there was none."""

    status: int = 0
    location: str = ""
    body: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the host presented; `problem` when it is not trusted or there is none."""

    not_after: datetime | None = None
    issuer: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    name: str = ""
    status: str = ""
    problem: str = ""


def health(answer: Answer) -> Finding:
    if answer.problem:
        return Finding(State.FAIL, answer.problem)
    return verdict([] if answer.status == 200 else [f"HTTP {answer.status}"], "200")


def ready(served: Served) -> Finding:
    if served.problem:
        return Finding(State.FAIL, served.problem)
    wrong = [] if served.status == 200 else [f"HTTP {served.status}"]
    if served.failing:
        wrong.append(f"failing: {', '.join(served.failing)}")
    return verdict(wrong, f"200, migrations at {served.migration}")


def certificate(found: Certificate, now: datetime) -> Finding:
    if found.problem or found.not_after is None:
        return Finding(State.FAIL, found.problem or "no certificate was presented")
    left = found.not_after - now
    said = f"valid until {found.not_after:%Y-%m-%d}, {left.days} days more, by {found.issuer}"
    if left < timedelta(days=CERTIFICATE_DAYS):
        return Finding(State.FAIL, said)
    return Finding(State.PASS, said)


def redirect(answer: Answer, host: str) -> Finding:
    if answer.problem:
        return Finding(State.FAIL, answer.problem)
    to = urlsplit(answer.location)
    wrong: list[str] = []
    if answer.status not in {301, 302, 307, 308}:
        wrong.append(f"http:// answers {answer.status} and does not redirect")
    elif to.scheme != "https" or to.hostname != host:
        wrong.append(f"http:// leads to {to.scheme or 'nowhere'}://{to.hostname or ''}")
    finding = verdict(wrong, f"{answer.status} to https://{host}")
    if finding.state is State.PASS and answer.status in {302, 307}:
        return Finding(State.WARN, f"{finding.observed}: for a while only; 308 lets browsers remember it")
    return finding


def domain(public_url: str, production_url: str, page: Answer, api: Answer) -> Finding:
    """The pages and the API answer under PUBLIC_APP_URL, which is what the run was asked to judge."""
    wrong: list[str] = []
    if _origin(public_url) != _origin(production_url):
        wrong.append(f"PUBLIC_APP_URL is {_origin(public_url)}, this run judges {_origin(production_url)}")
    for what, answer in (("the page", page), ("the API", api)):
        if answer.problem or answer.status != 200:
            wrong.append(f"{what}: {answer.problem or f'HTTP {answer.status}'}")
    return verdict(wrong, f"{_origin(public_url)} serves pages and API")


def zone(found: Zone, host: str) -> Finding:
    if found.problem:
        return Finding(State.FAIL, found.problem)
    wrong: list[str] = []
    if found.status != "active":
        wrong.append(f"the zone is {found.status or 'unknown'}")
    if host != found.name and not host.endswith(f".{found.name}"):
        wrong.append(f"the zone {found.name} is not that of {host}")
    return verdict(wrong, f"{found.name} is active")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
