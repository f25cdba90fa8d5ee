"""The ledger's hourly round killed anywhere: chains verify, their ends are signed, today has its copy."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from api.core.clock import system_clock
from api.core.evidence import service
from api.core.evidence.trust import CHECKPOINTS
from api.providers.evidence.bucket import Kept, LockedBucket
from flows import evidence
from tests.crash.points import watch_calls
from tests.crash.scenario import broken_chains, run, state, tasks_of, transaction, wire

STREAMS = ("crash-one", "crash-two")


class Folder:
    """A bucket of files: what is there stays."""

    def keep(self, name: str, data: bytes, now: datetime) -> Kept:
        file = state() / "bucket" / name
        fresh = not file.exists()
        if fresh:
            file.parent.mkdir(parents=True, exist_ok=True)
            written = file.with_suffix(".written")
            written.write_bytes(data)
            written.rename(file)
        return Kept(name, "COMPLIANCE", now + timedelta(days=1), fresh)

    def names(self, prefix: str) -> Sequence[str]:
        found = (state() / "bucket").glob("*/*.json")
        return sorted(name for one in found if (name := f"{one.parent.name}/{one.name}").startswith(prefix))


class Evidence:
    def tasks(self) -> int:
        return tasks_of(evidence)

    def before(self) -> None:
        for name in Folder().names(""):
            (state() / "bucket" / name).unlink()
        with transaction() as session:
            for stream in STREAMS:
                service.append(session, stream, "noted", {"at": str(system_clock())}, system_clock())

    def watch(self) -> None:
        watch_calls(Folder, "keep", "bucket")

    def run(self) -> None:
        wire()
        LockedBucket.from_settings = classmethod(lambda _cls, _settings: Folder())  # type: ignore[assignment]
        ended = run(evidence.evidence)
        assert ended.is_completed(), ended.message

    def next_run(self) -> None:
        self.run()

    def wrong(self) -> list[str]:
        found = broken_chains(*STREAMS, CHECKPOINTS)
        with transaction() as session:
            if service.checkpoint(session, system_clock()) is not None:
                found.append("an end is not signed")
        copies = Folder().names(f"{system_clock():%Y-%m-%d}/")
        if not copies:
            return [*found, "today has no copy"]
        for name in copies:
            if not json.loads((state() / "bucket" / name).read_bytes()):
                found.append(f"{name} is empty")
        return found


SCENARIO = Evidence()
