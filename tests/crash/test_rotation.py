"""A rotation killed at each of its calls: run again, it ends as if nothing had been, or goes back; and at no
moment is there no credential that works. Two rotators at once end like one."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from api.core.access import owners
from api.core.crypto import Vault
from api.core.errors import FirstUserError
from api.core.evidence import service as evidence
from api.core.founders.models import Founder
from api.core.keys import service as keys
from api.core.rotation import service
from api.core.rotation.ledger import EVIDENCE_STREAM
from api.core.rotation.steps import Mode, State, Step
from api.core.webhooks import secrets
from api.core.webhooks.lanes import KEYS_END_S
from tests.api.core.webhooks.places import told
from tests.crash.rotations import GRACE, Killed, World, done
from tests.product import NOW, engine, product_url, vault

__all__ = ["engine", "product_url", "vault"]
OWNER = "owner@partner.example"
KINDS = ("api_key", "webhook_secret")


@dataclass
class Case:
    """One integration with a key and a secret that are about to be rotated."""

    world: World
    integration_id: str
    kind: str
    old: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.integration_id}"

    def begin(self) -> str | None:
        made = self.world.rotations().rotate(self.name, mode=Mode.ASKED, by="fnd_1", shown=True, grace=GRACE)
        if made.plaintext and self.kind == "webhook_secret":
            self.world.known.append(made.plaintext)
        return made.plaintext

    def works(self, value: str) -> bool:
        if self.kind == "api_key":
            return self.world.key_works(value)
        return value in self.world.valid_secrets(self.integration_id)

    def working(self) -> int:
        """How many credentials of the integration work, as its row says."""
        if self.kind == "webhook_secret":
            return len(self.world.valid_secrets(self.integration_id))
        with Session(self.world.engine) as session:
            known = keys.of_integration(session, self.integration_id)
        return sum(one.state(self.world.now) in {"current", "ending"} for one in known)


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return World(engine, vault)


def new_case(world: World, kind: str) -> Case:
    with Session(world.engine) as session, session.begin():
        integration_id = told(session, world.vault)
        _, old = keys.mint(session, integration_id, NOW)
        owner = owners.of_integration(session, integration_id)
        assert owner is not None
        founder = session.get_one(Founder, owner.founder_id)
        founder.email_cipher = world.vault.seal(OWNER, founder.id)
        secret = secrets.valid(session, world.vault, integration_id, NOW)[0]
    world.now, world.known, world.calls, world.sent = NOW, [secret], 0, []
    return Case(world, integration_id, kind, old if kind == "api_key" else secret)


def calls_of(world: World, kind: str) -> int:
    """How many calls a whole rotation makes: the places where it is killed."""
    case = new_case(world, kind)
    case.begin()
    done(world.rotations(), case.name, world)
    return world.calls


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.param


def test_a_rotation_from_its_beginning_to_its_end(world: World, kind: str) -> None:
    case = new_case(world, kind)
    new = case.begin()
    assert new and case.works(case.old) and case.works(new)
    ended = done(world.rotations(), case.name, world)
    assert ended.state is State.DONE and not case.works(case.old) and case.works(new)
    assert [proof["ok"] for proof in ended.proofs if proof["step"] in {"prove", "refuse"}]
    assert all(proof["ok"] for proof in ended.proofs if proof["required"])
    with Session(world.engine) as session:
        kinds = [
            record.kind
            for record in evidence.records(session, EVIDENCE_STREAM)
            if record.body["rotation_id"] == ended.id
        ]
        stages = [(one.version, one.stage) for one in service.versions(session, case.name)]
    assert kinds == [
        "rotation.mint", "rotation.store", "rotation.reload", "rotation.prove", "rotation.told",
        "rotation.handed_over", "rotation.overlap", "rotation.retire", "rotation.refuse",
    ]  # fmt: skip
    assert stages == [(2, "current"), (1, "retired")]
    held = [KEYS_END_S + 1] if kind == "webhook_secret" else []  # by a dispatcher, from before its end
    assert world.waited == held


def test_killed_at_every_call_and_run_again_it_ends_the_same(world: World, kind: str) -> None:
    places = calls_of(world, kind)
    assert places > 15
    for strike in range(1, places + 1):
        case = new_case(world, kind)
        world.strike = strike
        with pytest.raises(Killed):
            case.begin()
            done(world.rotations(), case.name, world)
        world.reborn()
        assert case.working() > 0, f"nothing works after call {strike}"
        with Session(world.engine) as session:
            ever = service.recent(session, 5, case.name)
        if not ever or not ever[0].handed_over_at:  # nobody has seen the new one: the button is pressed again
            assert case.begin()
        if kind == "webhook_secret":  # the partner has the new one, too
            world.known = [*world.known, *world.valid_secrets(case.integration_id)]
        ended = done(world.rotations(), case.name, world)
        assert ended.state is State.DONE, f"call {strike}: {ended.step} {ended.problem}"
        assert not case.works(case.old) and case.working() == 1
        assert ended.handover is None and ended.witness is None


def test_killed_anywhere_before_the_old_one_ends_it_can_go_back(world: World, kind: str) -> None:
    case = new_case(world, kind)
    case.begin()
    places = world.calls
    for strike in range(1, places + 1):
        case = new_case(world, kind)
        world.strike = strike
        with pytest.raises(Killed):
            case.begin()
        world.reborn()
        rotations = world.rotations()
        begun = rotations.running(case.name)
        if begun is None:
            continue
        back = rotations.machine.roll_back(begun.id, "ops")
        assert back.state is State.ROLLED_BACK and rotations.machine.roll_back(begun.id, "ops") == back
        assert case.works(case.old) and case.working() == 1
        world.now += 100 * GRACE
        assert case.works(case.old), "the way back leaves no end behind"


def test_there_is_no_way_back_from_what_has_ended(world: World, kind: str) -> None:
    case = new_case(world, kind)
    case.begin()
    running = world.rotations().running(case.name)
    assert running is not None
    world.now += GRACE
    with pytest.raises(FirstUserError, match="cannot be rolled back"):
        world.rotations().machine.roll_back(running.id, "ops")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_two_rotators_at_once_end_like_one(engine: Engine, vault: Vault, data: st.DataObject) -> None:
    """Before any call of one, the other may take a whole step, or begin a rotation of its own."""
    world = World(engine, vault)
    case = new_case(world, data.draw(st.sampled_from(KINDS)))
    nested: list[bool] = []

    def interrupt() -> None:
        if nested or not data.draw(st.booleans()):
            return
        nested.append(True)
        other = world.rotations()
        try:
            begun = other.running(case.name)
            if begun is None:
                case.begin()
            else:
                other.machine.advance(begun)
        except FirstUserError:
            pass  # it was refused: the first is ahead
        nested.clear()

    world.between = interrupt
    try:
        case.begin()
    except FirstUserError as refusal:
        assert refusal.code == "rotation_in_progress"
    world.between = lambda: None
    world.known = [*world.known, *world.valid_secrets(case.integration_id)]
    ended = done(world.rotations(), case.name, world)
    assert ended.state is State.DONE and not case.works(case.old) and case.working() == 1
    with Session(engine) as session:
        states = [one.state for one in service.recent(session, 9, case.name)]
    assert State.RUNNING not in states


def test_a_key_that_nobody_has_seen_takes_nobodys_place(world: World, kind: str) -> None:
    """What a flow rotates waits to be picked up; only then does the old one's grace begin."""
    case = new_case(world, kind)
    rotations = world.rotations()
    made = rotations.rotate(case.name, mode=Mode.SCHEDULED, by="flow", shown=False, grace=GRACE)
    assert made.plaintext is None and made.rotation.step is Step.OVERLAP
    assert [("waits for" in mail.body, mail.to) for mail in world.sent] == [(True, OWNER)]
    world.now += 100 * GRACE
    rotations.machine.finish(case.name)
    assert case.works(case.old)
    seen = rotations.pick_up(made.rotation.id, "fnd_1")
    assert seen.plaintext and seen.rotation.overlap_until == world.now + GRACE
    again = rotations.pick_up(made.rotation.id, "fnd_1")
    assert again.plaintext == seen.plaintext
    with pytest.raises(FirstUserError, match="shown already"):
        rotations.pick_up(made.rotation.id, "fnd_2")
    world.known.append(seen.plaintext)
    assert done(rotations, case.name, world).state is State.DONE and not case.works(case.old)


def test_an_incident_ends_the_old_one_at_once_and_the_new_one_waits(world: World, kind: str) -> None:
    case = new_case(world, kind)
    made = world.rotations().rotate(case.name, mode=Mode.INCIDENT, by="ops", shown=False, reason="leak")
    assert made.rotation.state is State.DONE and not case.works(case.old) and case.working() == 1
    assert world.rotations().pick_up(made.rotation.id, "fnd_1").plaintext


def test_what_does_not_work_takes_nobodys_place(world: World, kind: str) -> None:
    """The negative control: a product that refuses the new key, a validator that refuses the signature."""
    case = new_case(world, kind)
    rotations = world.rotations()
    works, world.known = World.key_works, []
    try:
        World.key_works = lambda self, plaintext: plaintext == case.old  # type: ignore[method-assign]
        made = rotations.rotate(case.name, mode=Mode.SCHEDULED, by="flow", shown=False, grace=GRACE)
        with pytest.raises(FirstUserError) as refused:
            rotations.pick_up(made.rotation.id, "fnd_1")
        assert refused.value.code == "rotation_not_proven"
        stuck = done(rotations, case.name, world)
    finally:
        World.key_works = works  # type: ignore[method-assign]
    assert stuck.step is Step.PROVE and "40" in stuck.problem and case.works(case.old)
    assert stuck.overlap_until is None and stuck.handed_over_at is None
