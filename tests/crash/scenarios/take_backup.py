"""A backup killed anywhere, over a real server: the next one stands, verified; nothing is half made."""

from datetime import timedelta

from api.core.clock import system_clock
from api.providers.databases.embedded import base_backups, provider
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.stores.directory import DirectoryStore
from api.settings import load
from flows import backups
from tests.crash.points import watch_calls
from tests.crash.scenario import run, tasks_of, wire

_STORE = ("put_file", "put_tree", "put_bytes", "delete")


def database() -> EmbeddedDatabase:
    """Of the server that `FIRSTUSER_STATE_DIR` and `FIRSTUSER_POSTGRES_PORT` name."""
    return EmbeddedDatabase.from_settings(load())


class TakeBackup:
    def tasks(self) -> int:
        return tasks_of(backups)

    def before(self) -> None:
        """Backups follow one another."""

    def watch(self) -> None:
        watch_calls(base_backups, "run", "program of PostgreSQL")
        watch_calls(provider.EmbeddedDatabase, "seal", "segment sealed")
        for name in _STORE:
            watch_calls(DirectoryStore, name, f"store {name}")

    def run(self) -> None:
        found = database()
        wire(database=lambda: found, backup_keeper=lambda: found)
        run(backups.take_backup, kind="auto")
        ended = run(backups.retain)
        assert ended.is_completed(), ended.message

    def next_run(self) -> None:
        self.run()

    def wrong(self) -> list[str]:
        found = database()
        incoming = [one.name for one in found.cluster.home.incoming.iterdir() if one.is_dir()]
        wrong = [f"half made: {incoming}"] if incoming else []
        wrong += [f"half stored: {one}" for one in provider.Catalogue(found.store).unlisted()]
        newest = found.restore_points()[-1]
        if newest.verified_at is None or system_clock() - newest.earliest > timedelta(minutes=5):
            wrong.append(f"the newest restore point is {newest}")
        return wrong + [f"gap: {gap}" for gap in found.wal_gaps()]


SCENARIO = TakeBackup()
