"""The safety net under alerts killed anywhere: everything is told, at most one message twice for a kill."""

from collections import Counter
from datetime import timedelta

from sqlalchemy import text

from api.core.alerts import service
from api.core.alerts.desk import Desk
from api.core.alerts.messages import AlertMessage
from api.core.alerts.outbox import LEASE, Words
from api.core.clock import system_clock
from flows import alerts
from tests.crash.points import POINTS
from tests.crash.scenario import run, state, tasks_of, transaction, wire

ALERTS = 3


class Channel:
    kind = "json"
    fingerprint = "file"

    def send(self, message: AlertMessage) -> str:
        with POINTS.around("send"), (state() / "told").open("a") as file:
            file.write(f"{message.id}\n")
        return ""

    def read_back(self, sent_id: str) -> bool | None:
        return None


class Alerts:
    def tasks(self) -> int:
        return tasks_of(alerts)

    def before(self) -> None:
        (state() / "told").write_text("")
        past = system_clock() - timedelta(minutes=1)
        with transaction() as session:
            session.execute(text("truncate alerts, alert_channels cascade"))
            for number in range(ALERTS):
                service.raise_(session, "flow_failed", f"f_{number}", env="production", message="-", now=past)

    def watch(self) -> None:
        """The channel's own calls are."""

    def run(self) -> None:
        self._run(timedelta(0))

    def next_run(self) -> None:
        for turn in range(1, ALERTS + 2):
            self._run(turn * LEASE)

    def wrong(self) -> list[str]:
        told = Counter((state() / "told").read_text().splitlines())
        found = [f"{len(told)} of {ALERTS} were told"] if len(told) != ALERTS else []
        twice = told.total() - len(told)
        return found + ([f"{twice} were told again"] if twice > 1 else [])

    def _run(self, ahead: timedelta) -> None:
        desk = Desk(
            transaction,
            {"primary": Channel()},
            Words("production", "http://app"),
            lambda: system_clock() + ahead,
        )
        alerts.sleep = lambda _seconds: None  # type: ignore[assignment]
        wire(alert_desk=lambda: desk)
        run(alerts.alerts)


SCENARIO = Alerts()
