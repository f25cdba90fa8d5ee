"""Every kind of secret rotated on a running stack while founders, partners, widgets and webhooks go on:
nobody is refused and no signature is rejected until the old one ends; and then it is refused."""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from secrets import token_hex
from threading import Event, Lock, Thread

import httpx
import psycopg
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from api.core.access import codes, waitlist
from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.core.rotation.kinds import SWITCHED
from api.core.rotation.records import RotationView
from api.core.rotation.steps import Mode, State, Step, Wait
from api.db.address import login_of, opens
from api.db.engine import Engine, make_engine, session_scope
from api.following import followed
from api.providers.messaging import messenger
from api.providers.secret_kinds.live_checks import CHAT, ME
from api.providers.webhooks import sender as webhook_sender
from api.rotating import Rotations, rotations
from api.settings.fingerprint import configuration
from api.settings.rings import DATA_KEY, DATABASE, SESSION, WEBHOOK, WIDGET, read_rings, rings
from tests.receiver import Received, Receiver
from tests.stack.conftest import StackUnderTest, clean_environment
from tests.stack.drills import query, signed_in

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

ORIGIN = "http://127.0.0.1:9"
GRACE = timedelta(hours=1)
ROUNDS = 3  # of everything, while old and new are valid and after the old one has ended
WITHIN_S = 60
USERS = {"firstuser-api-production", "firstuser-api-staging", "firstuser-dispatcher", "beacon"}


@dataclass
class Partner:
    """A partner's back end: its key, its users, and a receiver that knows `secrets` and nothing else."""

    integration_id: str
    key: str
    receiver: Receiver
    secrets: list[str] = field(default_factory=list[str])
    user: str = ""
    checked: int = 0
    rejected: list[str] = field(default_factory=list[str])

    def check(self) -> None:
        """What has arrived since the last time, by the standard's own library."""
        for one in self.receiver.received[self.checked :]:
            self.checked += 1
            if not any(self._genuine(one, secret) for secret in self.secrets):
                self.rejected.append(one.headers["webhook-id"])

    def _genuine(self, one: Received, secret: str) -> bool:
        known = secret if secret.startswith("whsec_") else base64.b64encode(secret.encode()).decode()
        try:
            Webhook(known).verify(one.body, one.headers)
        except WebhookVerificationError:
            return False
        return True


@dataclass
class Scene:
    stack: StackUnderTest
    rotations: Rotations
    engine: Engine
    vault: Vault
    opened: ExitStack
    partners: Sequence[Partner]
    founder: httpx.Client = field(init=False)
    failed: list[str] = field(default_factory=list[str])
    counts: dict[str, int] = field(default_factory=dict[str, int])
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.sign_in()

    def sign_in(self) -> None:
        self.founder = self.opened.enter_context(signed_in(self.stack))

    @property
    def api(self) -> str:
        return self.stack.ports.url("api")

    def ring(self, name: str) -> list[str]:
        with clean_environment():
            return read_rings(self.stack.state.env_file("production"))[name]

    def rotate(self, name: str) -> tuple[RotationView, str | None]:
        made = self.rotations.rotate(name, mode=Mode.ASKED, by="test", shown=True, grace=GRACE)
        assert made.rotation.step is Step.RETIRE and not made.rotation.problem, made.rotation.problem
        return made.rotation, made.plaintext

    def end(self, made: RotationView) -> RotationView:
        ended = self.rotations.end_overlap(made.id, "test")
        assert ended.state is State.DONE, ended.problem
        assert all(proof["ok"] for proof in ended.proofs if proof["step"] == "refuse")
        self.same_configuration()
        return ended

    def same_configuration(self) -> None:
        """The running service has by now what a process that starts now reads."""
        asked, deadline = f"{self.api}/api/readyz?verbose", time.monotonic() + WITHIN_S
        while (said := httpx.get(asked, trust_env=False).json()["configuration"]) != configuration(
            self.stack.settings()
        ):
            assert time.monotonic() < deadline, said
            time.sleep(0.1)

    def post(self, partner: Partner, path: str, body: object) -> httpx.Response:
        bearer = {"Authorization": f"Bearer {partner.key}"}
        return httpx.post(f"{self.api}/api/integration/v1{path}", json=body, headers=bearer, trust_env=False)

    def exchange(self, partner: Partner) -> httpx.Response:
        """Somebody joins, is let in, and comes with the code; each of the three is a webhook, too."""
        user = f"u-{token_hex(5)}"
        with session_scope(self.engine) as session:
            now = system_clock()
            waitlist.join(session, self.vault, partner.integration_id, user, now, f"{user}@example.com")
            (entry,) = waitlist.oldest_waiting(session, partner.integration_id, 1)
            waitlist.accept(session, entry, now)
            code = codes.issue(session, entry.id, partner.integration_id, now)
        answer = self.post(partner, "/access/exchange", {"code": code})
        if answer.is_success:
            partner.user = entry.external_user_id
        return answer

    def heartbeat(self, partner: Partner) -> httpx.Response:
        return self.post(partner, "/heartbeat", {"users": [{"external_user_id": partner.user}]})

    def widget(self, partner: Partner) -> httpx.Response:
        asked = {"external_user_id": partner.user, "origin": ORIGIN}
        token = self.post(partner, "/widget/token", asked)
        if token.is_error:
            return token
        bearer = {"Authorization": f"Bearer {token.json()['token']}", "Widget-Origin": ORIGIN}
        return httpx.get(f"{self.api}{CHAT}", headers=bearer, trust_env=False)

    def ready(self, _: Partner) -> httpx.Response:
        return httpx.get(f"{self.api}/api/readyz", trust_env=False)

    def session(self, _: Partner) -> httpx.Response:
        return self.founder.get(ME)

    def note(self, what: str, answer: httpx.Response) -> None:
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + 1
            if answer.is_error:
                self.failed.append(f"{what}: {answer.status_code} {answer.text[:200]}")

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """All of it all the time; the block's end waits for some more of each."""
        over = Event()
        acts = (self.exchange, self.heartbeat, self.widget, self.session, self.ready)
        threads = [Thread(target=self._go_on, args=(act, over)) for act in acts]
        for thread in threads:
            thread.start()
        try:
            yield
            self.more()
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def _go_on(self, act: Callable[[Partner], httpx.Response], over: Event) -> None:
        while not over.is_set():
            for partner in self.partners:
                try:
                    self.note(act.__name__, act(partner))
                except Exception as error:  # noqa: BLE001 - whatever it is, it counts
                    self.failed.append(f"{act.__name__}: {type(error).__name__} {error}")
            over.wait(0.05)

    def more(self) -> None:
        """Return when every act was done a few times more, and as many webhooks have come."""
        before, hooks = dict(self.counts), [len(one.receiver.received) for one in self.partners]
        deadline = time.monotonic() + WITHIN_S
        while not (
            all(self.counts[act] >= count + ROUNDS for act, count in before.items())
            and all(
                len(one.receiver.received) >= count + ROUNDS
                for one, count in zip(self.partners, hooks, strict=True)
            )
        ):
            assert time.monotonic() < deadline and not self.failed, (self.failed, self.counts, before)
            time.sleep(0.05)


@pytest.fixture(scope="module")
def scene(stack: StackUnderTest) -> Iterator[Scene]:
    settings, file = stack.settings(), stack.state.env_file("production")
    known = rings(settings.platform, settings.service)
    vault = Vault(data_keys(*known[DATA_KEY]))
    with ExitStack() as open_, pytest.MonkeyPatch.context() as patch:
        open_.enter_context(clean_environment())
        patch.setenv("FIRSTUSER_ENV_FILE", str(file))
        patch.setenv("PGPASSFILE", str(stack.state.passwords))
        engine = make_engine(followed(settings, file, vault), application_name="firstuser-test")
        made = rotations(
            settings,
            engine,
            partial(session_scope, engine),
            vault,
            messenger(settings),
            partial(webhook_sender, settings),
            system_clock,
        )
        found = Scene(stack, made, engine, vault, open_, [])
        found.partners = [a_partner(stack, found.founder, name, Receiver()) for name in ("own", "fallback")]
        found.partners[0].secrets = [own_secret(found.founder, found.partners[0].integration_id)]
        found.partners[1].secrets = known[WEBHOOK]
        for partner in found.partners:
            assert found.exchange(partner).status_code == 200
        yield found
        engine.dispose()
        for partner in found.partners:
            partner.receiver.close()
            query(stack, "update integrations set webhook_url = null where id = %s", partner.integration_id)


def a_partner(stack: StackUnderTest, founder: httpx.Client, name: str, receiver: Receiver) -> Partner:
    answer = founder.post(
        "/api/founder/v1/spaces/firstuser/integrations",
        json={"name": f"Rotation, {name}"},
        headers={"Idempotency-Key": token_hex(8)},
    )
    assert answer.status_code == 201, answer.text
    integration_id = answer.json()["integration"]["id"]
    query(
        stack,
        "update integrations set webhook_url = %s, origins = array[%s] where id = %s",
        receiver.url,
        ORIGIN,
        integration_id,
    )
    return Partner(integration_id, answer.json()["key"], receiver)


def own_secret(founder: httpx.Client, integration_id: str) -> str:
    answer = founder.post(
        f"/api/founder/v1/integrations/{integration_id}/secrets/rotate",
        json={},
        headers={"Idempotency-Key": token_hex(8)},
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["secret"]


def checked(scene: Scene) -> None:
    for partner in scene.partners:
        partner.check()
        assert partner.rejected == [] and partner.checked > 0
    assert scene.failed == []


@pytest.mark.parametrize("name", [SESSION, WIDGET])
def test_a_signing_secret_of_the_platform(scene: Scene, name: str) -> None:
    (before,) = scene.ring(name)
    with scene.traffic():
        made, _ = scene.rotate(name)
        scene.more()
    assert before in scene.ring(name)[1:]
    checked(scene)
    cookie = dict(scene.founder.cookies)
    if name == SESSION:  # who signed in with the old one is signed out by its end
        scene.sign_in()
    with scene.traffic():
        ended = scene.end(made)
    checked(scene)
    assert len(scene.ring(name)) == 1
    assert "the old one is refused" in {one["name"] for one in ended.proofs}
    if name == SESSION:
        old = httpx.get(f"{scene.api}{ME}", cookies=cookie, trust_env=False)
        assert old.status_code == 401


def test_the_webhook_secret_of_the_platform(scene: Scene) -> None:
    partner = scene.partners[1]
    (before,) = partner.secrets
    with scene.traffic():
        made, _ = scene.rotate(WEBHOOK)
        scene.more()
        partner.check()
        partner.secrets = scene.ring(WEBHOOK)[:1]
        scene.more()
        scene.end(made)
    checked(scene)
    with scene.traffic():
        scene.more()
    checked(scene)
    partner.checked, now = 0, partner.secrets
    partner.receiver.received[:] = partner.receiver.received[-ROUNDS:]
    partner.secrets = [before]
    partner.check()
    assert len(partner.rejected) == ROUNDS, "nothing is signed with the old one any more"
    partner.secrets, partner.rejected = now, []


def test_the_data_key(scene: Scene) -> None:
    """Backups of this stack need the old one: it stays, and seals nothing."""
    with scene.traffic():
        made, _ = scene.rotate(DATA_KEY)
        scene.more()
        with pytest.raises(Exception, match="cannot be retired before"):
            scene.rotations.end_overlap(made.id, "test")
    checked(scene)
    assert scene.rotations.machine.get(made.id).waits(datetime.now(UTC)) is Wait.KEPT
    alone = Vault(data_keys(scene.ring(DATA_KEY)[0]))
    rows = query(scene.stack, "select id, email_cipher from entries where email_cipher is not null")
    assert rows and all("@" in alone.open(bytes(sealed), entry_id) for entry_id, sealed in rows)


def test_the_login_of_the_database(scene: Scene) -> None:
    before, role = scene.ring(DATABASE)[0], login_of(scene.ring(DATABASE)[0])[0]
    with scene.traffic():
        made, _ = scene.rotate(DATABASE)
        scene.more()
        assert opens(before)
        scene.end(made)
    checked(scene)
    assert not opens(before) and opens(scene.ring(DATABASE)[0])
    sessions = "select application_name from pg_stat_activity where usename = %s"
    assert query(scene.stack, sessions, role) == []
    login, deadline = login_of(scene.ring(DATABASE)[0])[0], time.monotonic() + WITHIN_S
    while lacking := USERS - {name for (name,) in query(scene.stack, sessions, login)}:
        assert time.monotonic() < deadline, lacking
        time.sleep(0.1)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(before, connect_timeout=5)
    staging = httpx.get(f"{scene.stack.ports.url('staging')}/api/readyz", trust_env=False)
    assert staging.status_code == 200


def test_a_partners_key(scene: Scene) -> None:
    partner = scene.partners[0]
    old = partner.key
    with scene.traffic():
        made, new = scene.rotate(f"api_key:{partner.integration_id}")
        scene.more()
        assert new
        partner.key = new
        scene.more()
        ended = scene.end(made)
    checked(scene)
    assert SWITCHED in {one["name"] for one in ended.proofs}  # its use is noted once a minute: not always yet
    partner.key = old
    assert scene.heartbeat(partner).status_code == 401
    partner.key = new


def test_a_partners_webhook_secret(scene: Scene) -> None:
    partner = scene.partners[0]
    (old,) = partner.secrets
    with scene.traffic():
        made, new = scene.rotate(f"webhook_secret:{partner.integration_id}")
        scene.more()
        partner.check()
        assert new
        partner.secrets = [new]
        scene.more()
        seen = scene.rotations.try_switch(f"webhook_secret:{partner.integration_id}", "fnd_1")
        assert [one["ok"] for one in seen.proofs if one["name"] == SWITCHED] == [True]
        scene.end(made)
    checked(scene)
    partner.secrets, sure = [old], partner.checked
    with scene.traffic():
        scene.more()
    partner.receiver.received[:sure] = []
    partner.checked = 0
    partner.check()
    assert len(partner.rejected) >= ROUNDS
    partner.secrets, partner.rejected = [new], []
