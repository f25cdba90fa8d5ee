"""`secret-rotation` killed anywhere: one secret is current, the old one is gone, nothing stays under way.

The machine below is killed call by call in `test_rotation_killed`; this is the flow around it."""

import os
import secrets

from sqlalchemy.orm import Session

from api.core.rotation import service
from api.core.rotation.steps import State
from api.settings.rings import DATA_KEY, SESSION, read_rings
from flows import secret_rotation
from tests.crash.killed import Ground, Platform
from tests.crash.scenario import DATABASE, broken_chains, engine, run, state, tasks_of, wire
from tests.product import DATA_KEY as FIRST_KEY


class SecretRotation:
    def tasks(self) -> int:
        return tasks_of(secret_rotation)

    def before(self) -> None:
        file = state() / "production.env"
        if not file.exists():
            values = {SESSION: secrets.token_urlsafe(48), DATA_KEY: FIRST_KEY}
            file.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
            file.chmod(0o600)
        (state() / "before").write_text(f"{self._last()} {self._ring()[0]}")

    def watch(self) -> None:
        """Files and database only: what is written to either is a place."""

    def run(self) -> None:
        self._go(mode="incident", names=[SESSION], reason="leaked", confirmed=True)

    def next_run(self) -> None:
        self._go(mode="finish")

    def wrong(self) -> list[str]:
        ring, (last, before) = self._ring(), (state() / "before").read_text().split()
        with Session(engine()) as session:
            stages = [one.stage for one in service.versions(session, SESSION)]
            newest = next(iter(service.recent(session, 1, SESSION)), None)
        begun = newest is not None and newest.id != last
        found = [f"{len(ring)} values are on file"] if len(ring) != 1 else []
        if begun and newest.state is not State.DONE:
            found.append(f"a rotation rests at {newest.step}: {newest.problem}")
        if begun == (ring[0] == before):
            found.append("the old one is current" if begun else "another one came out of nowhere")
        if stages.count("current") > 1 or set(stages) - {"current", "retired"}:
            found.append(f"versions are {stages}")
        return found + broken_chains("rotation")

    def _last(self) -> str:
        with Session(engine()) as session:
            return next((one.id for one in service.recent(session, 1, SESSION)), "none")

    def _ring(self) -> list[str]:
        return read_rings(state() / "production.env")[SESSION]

    def _go(self, **asked: object) -> None:
        ground = Ground(os.environ[DATABASE], "", state() / "production.env", SESSION)
        world = Platform(ground)
        wire(rotations=world.rotations)
        ended = run(secret_rotation.secret_rotation, **asked)
        assert ended.is_completed(), ended.message
        world.close()


SCENARIO = SecretRotation()
