"""Rule R2 without a watcher beside the worker: the worker's own looks trip it, also while nobody answers."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

from api.core.incidents.readiness import Outcome, judge
from api.core.incidents.verdicts import Verdict
from api.providers import probe_spool
from deployments import readyz
from tests.platforms.staging import Service, answering

BEGAN = datetime(2026, 11, 24, 16, tzinfo=UTC)


def test_what_the_worker_sees_trips_the_rule_also_while_nobody_answers(tmp_path: Path) -> None:
    file, passed = tmp_path / "state" / probe_spool.NAME, [0]

    def clock() -> datetime:
        """Ten seconds a look."""
        passed[0] += 1
        return BEGAN + timedelta(seconds=10 * passed[0])

    def seen(more: int) -> list[Outcome]:
        deadline, before = monotonic() + 30, len(probe_spool.read(file, BEGAN))
        while len(found := probe_spool.read(file, BEGAN)) < before + more:
            assert monotonic() < deadline
            sleep(0.01)
        return [one.outcome for one in found]

    with answering(Service()) as service, readyz.looking(f"{service.url}/api/readyz", file, 0.005, clock):
        assert set(seen(3)) == {Outcome.PASS}
        service.status = 503
        assert seen(16)[-1] is Outcome.FAIL
    probes = probe_spool.read(file, BEGAN)
    verdict, failing = judge(probes, probes[-1].at)
    assert verdict is Verdict.TRIP and failing.failures >= 14
    assert len(probe_spool.read(file, BEGAN)) == len(probes), "it has ended with its block"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/api/readyz"
        with readyz.client() as http:
            assert readyz.look(http, url)[1] is Outcome.FAIL
