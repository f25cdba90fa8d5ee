"""The watcher: pages when the database or the API is down, with neither of them, nor Prefect, in its path.

    every 10 s   asks readyz; three bad answers in a row page, two good ones resolve
    at once      sends what is in its spool, directly to the channels of OPS_ALERT_WEBHOOK_URL
    every 60 s   asks for the dead-man URL: whoever runs that one notices when this process is gone too
    when green   reports to the API: it puts outages on record and says which silences hold
    at once      signs its reports with a new SESSION_SECRET when its environment file is replaced

`python -m deployments.watcher`; configuration from the environment, memory in one file. Sent, then marked:
killed in between, it sends the same message once more.
"""

import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import httpx
import structlog

from api import log, metrics_server
from api.core.alerts import probing, reports
from api.core.alerts.messages import AlertChannel, Throttled
from api.core.alerts.probing import Place, Watch
from api.core.alerts.reports import Report
from api.core.clock import Clock, system_clock
from api.core.crypto import Signer
from api.core.errors import ProviderError
from api.core.incidents.readiness import Probe
from api.providers import probe_spool
from api.providers.alerting import channels
from api.ring_file import RingFile
from api.settings import named_file
from api.settings.alerts import AlertSettings
from api.settings.incidents import IncidentSettings
from api.settings.platform import PlatformSettings
from api.settings.rings import SESSION, rings
from api.settings.service import ServiceSettings
from api.settings.stack import StackSettings
from deployments import readyz, watch_file
from deployments.watcher_metrics import WatcherMetrics

DEAD_MAN_EVERY = timedelta(seconds=60)
_TURN_S = 0.5
_log = structlog.get_logger("watcher")


@dataclass
class Watcher:
    """`turn` does what is due; call it again and again. Every step is on disk before the next begins."""

    file: Path
    place: Place
    channels: Mapping[str, AlertChannel]
    readyz_url: str
    dead_man_url: str = ""
    signer: Signer | None = None
    secrets: RingFile | None = None
    clock: Clock = system_clock
    http: httpx.Client = field(default_factory=readyz.client)
    probes: Path | None = None
    metrics: WatcherMetrics = field(default_factory=WatcherMetrics)
    watch: Watch = field(init=False)
    look_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.watch = watch_file.read(self.file)
        self.look_at = self.clock()

    def turn(self) -> None:
        if self.secrets is not None:
            self.secrets.look()
        if self.clock() >= self.look_at:
            self._look()
        while self._send():
            pass
        if self.dead_man_url and self._dead_man_due():
            self._beat()

    def _look(self) -> None:
        before, began = self.watch, monotonic()
        seen, outcome = readyz.look(self.http, self.readyz_url)
        now = self.clock()
        self.metrics.probed(outcome, monotonic() - began)
        if self.probes is not None:
            probe_spool.append(self.probes, Probe(now, outcome, seen.detail))
        self._keep(probing.observe(before, seen, self.place, now))
        self.look_at = probing.next_look(self.watch, self.place, now)
        if (before.episode is None) != (self.watch.episode is None):
            _log.warning("outage", begun=self.watch.episode is not None, detail=seen.detail)
        if not seen.rule and not seen.says_nothing:
            self.report()

    def report(self, *, leaving: bool = False) -> None:
        """Only where there is a secret to sign with. What is not heard now is told again at the next look."""
        if self.signer is None:
            return
        watch = self.watch
        told = Report(
            self.clock(), watch.ended, bool(self.dead_man_url), watch.dead_man_ok_at, leaving=leaving
        )
        body, headers = reports.seal(told, self.signer)
        url = f"{self.readyz_url.removesuffix(readyz.READYZ)}{reports.PATH}"
        try:
            answer = self.http.post(url, content=body, headers=headers)
        except httpx.HTTPError as error:
            _log.warning("not reported", kind=type(error).__name__)
            return
        heard = reports.reply(answer.content) if answer.is_success else None
        if heard is None:
            _log.warning("the report was not taken", status=answer.status_code)
        elif (watch.ended, watch.silences) != ((), heard.silences):
            self._keep(probing.on_record(watch, heard.known, heard.silences))

    def _send(self) -> bool:
        """Whether something was sent, or tried."""
        marks = {name: channel.fingerprint for name, channel in self.channels.items()}
        found = probing.next_to_send(self.watch, marks, self.clock())
        if found is None:
            return False
        spooled, name = found
        self._keep(probing.trying(self.watch, name, self.clock()))
        try:
            receipt = self.channels[name].send(spooled.message)
        except ProviderError as error:
            _log.warning("alert not sent", channel=name, error=error.message)
            self.metrics.told(name, sent=False)
            after = error.retry_after if isinstance(error, Throttled) else None
            chance = random.random()  # noqa: S311  spreads retries, protects nothing
            self._keep(
                probing.failed(
                    self.watch,
                    name,
                    marks,
                    self.clock(),
                    chance,
                    retryable=error.retryable,
                    retry_after=after,
                )
            )
            return True
        self._keep(probing.told(self.watch, name, receipt, self.clock()))
        self.metrics.told(name, sent=True)
        _log.info("alert sent", channel=name, message=spooled.message.id, kind=spooled.message.kind.value)
        return True

    def _dead_man_due(self) -> bool:
        last = self.watch.dead_man_at
        return last is None or self.clock() - last >= DEAD_MAN_EVERY

    def _beat(self) -> None:
        """Its address is a credential: only the kind of a failure is logged."""
        now = self.clock()
        try:
            heard = self.http.get(self.dead_man_url).is_success
        except httpx.HTTPError as error:
            _log.warning("the dead-man URL was not reached", kind=type(error).__name__)
            heard = False
        watch = replace(self.watch, dead_man_at=now)
        self._keep(replace(watch, dead_man_ok_at=now) if heard else watch)

    def _keep(self, watch: Watch) -> None:
        """A disk that is full, perhaps the very cause of the outage, keeps nobody from paging."""
        self.watch = watch
        try:
            watch_file.write(self.file, watch)
        except OSError as error:
            _log.warning("not remembered", kind=type(error).__name__)


def from_environment() -> Watcher:
    """Raises pydantic's ValidationError."""
    file = named_file()
    alerts, service = AlertSettings.read(file), ServiceSettings.read(file)
    platform, stack = PlatformSettings.read(file), StackSettings.read(file)
    incidents = IncidentSettings.read(file)
    dead_man = alerts.dead_man_url
    known = rings(platform, service)
    signer = Signer(known[SESSION], reports.PURPOSE) if SESSION in known else None
    return Watcher(
        file=alerts.watcher_state_file or stack.state_dir / "watcher.json",
        place=Place(
            service.env, timedelta(seconds=alerts.watcher_interval_seconds), runbooks=alerts.runbooks_url
        ),
        channels=channels(platform, alerts, service),
        probes=incidents.probes_file or stack.state_dir / probe_spool.NAME,
        readyz_url=readyz.address(alerts, platform),
        dead_man_url=dead_man.get_secret_value() if dead_man else "",
        signer=signer,
        secrets=RingFile(known, file, {SESSION: [signer.turn]}) if signer else None,
    )


def main() -> None:
    """Watch until SIGTERM."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    log.configure("watcher")
    watcher = from_environment()
    _log.info("watching", every_seconds=watcher.place.interval.total_seconds(), channels=[*watcher.channels])
    service, registry = ServiceSettings.read(named_file()), metrics_server.registry()
    watcher.metrics.expose(registry, lambda: watcher.watch)
    with metrics_server.serving(registry, service.watcher_metrics_port, service):
        while not stop.is_set():
            watcher.turn()
            stop.wait(_TURN_S)
    watcher.report(leaving=True)


if __name__ == "__main__":
    main()
