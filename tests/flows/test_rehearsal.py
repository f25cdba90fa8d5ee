"""The rollback rehearsed over the real keeper of releases: back, forth, home again whatever happens."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from api.core.clock import system_clock
from api.core.errors import Conflict, FirstUserError, Refused, Rejected
from api.core.evidence import service as evidence
from api.core.preflight import rehearsals
from api.core.preflight.rehearsing import Rehearsing
from api.db.engine import Engine, session_scope
from api.providers.hosting import releases
from api.providers.hosting.local import LocalHosting
from api.providers.hosting.pointer import Pointer, write_pointer
from tests.flows.preflight_world import Face, facing
from tests.product import engine, product_url

__all__ = ["engine", "product_url"]


@dataclass
class Staging:
    """A service that serves what it was last deployed with, and remembers what it has served."""

    state_dir: Path
    face: Face
    served: list[str] = field(default_factory=list[str])
    broken: str = ""

    def restart(self, part: str) -> None:
        found = releases.environment(self.state_dir, "staging")
        release = found.get("FIRSTUSER_RELEASE", "dev")
        self.served.append(release)
        document = {"release": release, "deploy_id": found.get("FIRSTUSER_DEPLOY_ID", "home"), "checks": {}}
        self.face.says("/api/readyz?verbose", 200, document)

    def verify(self, release: str) -> str:
        if release == self.broken:
            raise Rejected("The login page answers 500.", provider="product", operation="login")
        return f"{release} works"


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    with facing() as face:
        yield Staging(tmp_path, face)


@pytest.fixture
def hosting(staging: Staging) -> LocalHosting:
    return LocalHosting(staging.state_dir, {"staging": staging.face.url}, staging.restart)


@pytest.fixture
def rehearsing(engine: Engine, staging: Staging, hosting: LocalHosting) -> Rehearsing:
    return Rehearsing(lambda: session_scope(engine), hosting, hosting, staging.verify, system_clock, wait_s=2)


def rehearse(rehearsing: Rehearsing) -> rehearsals.Rehearsal:
    one = rehearsing.begin(None)
    problem: FirstUserError | None = None
    try:
        rehearsing.go_back(one)
        rehearsing.come_forth(one)
    except FirstUserError as error:
        problem = error
    return rehearsing.conclude(one, problem)


def test_back_and_forth_with_times_and_evidence(
    rehearsing: Rehearsing, hosting: LocalHosting, staging: Staging, engine: Engine
) -> None:
    for release in ("1.1", "1.2"):
        hosting.deploy("staging", release, {})
    staging.served.clear()
    found = rehearse(rehearsing)
    assert staging.served == ["1.1", "1.2"]
    assert (found.status, found.of_release, found.to_release) == ("passed", "1.2", "1.1")
    assert found.back_seconds is not None and found.forth_seconds is not None
    with session_scope(engine) as session:
        assert evidence.verify(session, rehearsals.STREAM) is None
        (record,) = (
            one for one in evidence.records(session, rehearsals.STREAM) if one.id == found.evidence_id
        )
        proof = rehearsals.last_passed(session)
    assert record.body["status"] == "passed"
    assert proof is not None and proof.id == found.id


@pytest.mark.parametrize("broken", ["1.1", "1.2"])
def test_a_release_that_does_not_work_fails_it_and_staging_is_home(
    rehearsing: Rehearsing, hosting: LocalHosting, staging: Staging, broken: str
) -> None:
    for release in ("1.1", "1.2"):
        hosting.deploy("staging", release, {})
    staging.broken = broken
    found = rehearse(rehearsing)
    assert found.status == "failed" and "500" in found.detail
    assert staging.served[-1] == "1.2"


def test_the_first_release_has_nothing_to_go_back_to(rehearsing: Rehearsing) -> None:
    with pytest.raises(Refused, match="nothing to go back to"):
        rehearsing.begin(None)


def test_a_migration_that_cannot_be_taken_back_forbids_it(
    rehearsing: Rehearsing, hosting: LocalHosting, staging: Staging
) -> None:
    hosting.deploy("staging", "1.1", {})
    hosting.deploy("staging", "1.2", {}, irreversible=True)
    found = rehearse(rehearsing)
    assert found.status == "failed" and "migration" in found.detail
    assert staging.served[-1] == "1.2"


def test_what_a_killed_rehearsal_left_is_put_right(
    rehearsing: Rehearsing, hosting: LocalHosting, staging: Staging
) -> None:
    for release in ("1.1", "1.2"):
        hosting.deploy("staging", release, {})
    rehearsing.go_back(rehearsing.begin(None))
    assert staging.served[-1] == "1.1"
    assert rehearsing.undo()
    assert staging.served[-1] == "1.2"
    assert rehearsing.undo() == []


def test_nothing_is_deployed_over_a_restored_copy(hosting: LocalHosting, staging: Staging) -> None:
    write_pointer(staging.state_dir, "staging", Pointer("dep_1", "postgresql://copy/db", "drill-x"))
    with pytest.raises(Conflict, match="restored copy"):
        hosting.deploy("staging", "1.1", {})
    write_pointer(staging.state_dir, "staging", Pointer("dep_2"))
    made = hosting.deploy("staging", "1.1", {})
    assert hosting.wait_live("staging", made, 1).deploy_id == made
    assert json.loads((staging.state_dir / "releases" / "staging.json").read_text())[-1]["release"] == "1.1"
