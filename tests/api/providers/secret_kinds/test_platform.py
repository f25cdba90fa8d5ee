"""Secrets of the platform rotated under constant traffic, in a process that is never restarted: what was made
before goes on working through the overlap, and is refused after it. A partner's calls notice nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.core.backups.catalogue import BackupRecord
from api.core.crypto import Vault, data_keys
from api.core.errors import Conflict, Refused
from api.core.founders.models import Founder
from api.core.rotation.cadence import PLATFORM_KINDS
from api.core.rotation.steps import Mode, State, Step
from api.providers.databases.embedded.catalogue import Catalogue
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.settings import Settings
from api.settings.rings import DATA_KEY, SESSION, WEBHOOK, WIDGET, read_rings
from deployments.local.seed import seed
from tests.api.providers.secret_kinds.traffic import Traffic, callers, wait_until_known
from tests.product import DATA_KEY as FIRST_KEY
from tests.product import SESSION_SECRET, WIDGET_SECRET, new_database, product_settings
from tests.serving import Served, serving

__all__ = ["callers"]
WEBHOOK_SECRET = "a webhook secret that is long enough"
GRACE = timedelta(hours=1)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "production.env"
    values = {SESSION: SESSION_SECRET, WIDGET: WIDGET_SECRET, WEBHOOK: WEBHOOK_SECRET, DATA_KEY: FIRST_KEY}
    made.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    made.chmod(0o600)
    monkeypatch.setenv("FIRSTUSER_ENV_FILE", str(made))
    return made


@pytest.fixture
def served(cluster: Cluster, cluster_settings: Settings, tmp_path: Path, file: Path) -> Iterator[Served]:
    """On a database of its own: what is sealed there moves to other keys."""
    url = new_database(cluster)
    settings = product_settings(cluster_settings, url, tmp_path)
    stack = settings.stack.model_copy(update={"embedded": True})
    store = settings.store.model_copy(update={"url": ""})
    settings = replace(settings, stack=stack, store=store)
    seed(url, settings, 0.003, datetime.now(UTC))
    with serving(settings, file) as found:
        wait_until_known(found, len(PLATFORM_KINDS))
        yield found


@pytest.mark.parametrize(
    ("name", "caller"), [(SESSION, "founder"), (WIDGET, "widget"), (WEBHOOK, ""), (DATA_KEY, "")]
)
def test_nobody_notices_until_the_old_one_ends(
    served: Served, file: Path, callers: dict[str, Callable[[], httpx.Response]], name: str, caller: str
) -> None:
    rotations = served.services.rotations
    before = read_rings(file)[name][0]
    signed_before = list(served.services.webhook_fallback)
    traffic = Traffic(callers)
    with traffic.flowing():
        made = rotations.rotate(name, mode=Mode.SCHEDULED, by="test", shown=False, grace=GRACE).rotation
        assert made.step is Step.RETIRE and not made.problem, made.problem
    assert traffic.failed == [] and traffic.count > 10
    ring = read_rings(file)[name]
    assert ring[1:] == [before] and ring[0] != before
    if name == WEBHOOK:
        assert list(served.services.webhook_fallback)[1:] == signed_before
    others = {key: call for key, call in callers.items() if key != caller}
    traffic = Traffic(others)
    with traffic.flowing():
        ended = rotations.end_overlap(made.id, "test")
    assert ended.state is State.DONE, ended.problem
    assert traffic.failed == [] and read_rings(file)[name] == ring[:1]
    if caller:
        assert callers[caller]().status_code == 401
        assert {"the old one is refused", "made with the new one"} <= {
            proof["name"] for proof in ended.proofs if proof["step"] == "refuse" and proof["ok"]
        }
    if name == DATA_KEY:
        alone = Vault(data_keys(ring[0]))
        with served.services.transaction() as session:
            for founder in session.query(Founder).all():
                assert alone.open(founder.phone_cipher, founder.id).startswith("+")
    assert not any(value in repr(ended) + json.dumps(ended.to_json(datetime.now(UTC))) for value in (*ring,))


def test_the_way_back_makes_the_old_one_first_again(
    served: Served, file: Path, callers: dict[str, Callable[[], httpx.Response]]
) -> None:
    rotations = served.services.rotations
    before = read_rings(file)[SESSION]
    made = rotations.rotate(SESSION, mode=Mode.SCHEDULED, by="test", shown=False, grace=GRACE).rotation
    with Traffic(callers).flowing():
        assert rotations.machine.roll_back(made.id, "test").state is State.ROLLED_BACK
    assert read_rings(file)[SESSION] == before and callers["founder"]().status_code == 200


def a_backup(of: datetime) -> BackupRecord:
    return BackupRecord(f"b{of:%H%M%S%f}", "full", None, 1, 1, 2, of, of, "1", "18.0", 1, 1)


def test_a_data_key_outlives_every_backup_that_was_sealed_with_it(served: Served, file: Path) -> None:
    """In an incident too: then it opens, and seals nothing."""
    catalogue = Catalogue(EmbeddedDatabase.from_settings(served.settings).store)
    old = a_backup(datetime.now(UTC))
    catalogue.save(old)
    rotations, first = served.services.rotations, read_rings(file)[DATA_KEY][0]
    in_the_backup = served.services.vault.seal("+15550100", "fnd_1")
    made = rotations.rotate(DATA_KEY, mode=Mode.INCIDENT, by="test", shown=False, reason="leaked").rotation
    assert made.step is Step.RETIRE and made.phase(datetime.now(UTC)) == "overlap" and not made.problem
    second = read_rings(file)[DATA_KEY][0]
    assert read_rings(file)[DATA_KEY] == [second, first] != [first]
    assert served.services.vault.open(in_the_backup, "fnd_1") == "+15550100"
    alone = Vault(data_keys(second))
    assert alone.open(served.services.vault.seal("new", "x"), "x") == "new"
    with served.services.transaction() as session:
        for founder in session.query(Founder).all():
            assert alone.open(founder.phone_cipher, founder.id).startswith("+")
    day = f"{datetime.now(UTC) + timedelta(days=14):%Y-%m-%d}"
    with pytest.raises(Conflict, match=f"cannot be retired before {day}"):
        rotations.end_overlap(made.id, "test")
    in_another = served.services.vault.seal("+15550101", "fnd_1")
    for mode in (Mode.INCIDENT, Mode.SCHEDULED):  # nothing that a backup needs is in the way of the next one
        made = rotations.rotate(
            DATA_KEY, mode=mode, by="test", shown=False, reason="again", grace=timedelta()
        ).rotation
        assert made.step is Step.RETIRE and not made.problem, made.problem
    fourth, third, *rest = read_rings(file)[DATA_KEY]
    assert rest == [second, first] and len({fourth, third, second, first}) == 4
    assert served.services.vault.open(in_the_backup, "fnd_1") == "+15550100"
    assert served.services.vault.open(in_another, "fnd_1") == "+15550101"
    assert [one.id for one in rotations.machine.finish(DATA_KEY)] == [made.id]
    assert read_rings(file)[DATA_KEY] == [fourth, third, second, first]
    catalogue.save(a_backup(datetime.now(UTC)))
    with pytest.raises(Conflict):
        rotations.end_overlap(made.id, "test")
    catalogue.remove(old.id)
    assert rotations.end_overlap(made.id, "test").state is State.DONE
    assert read_rings(file)[DATA_KEY] == [fourth]
    for sealed in (in_the_backup, in_another):
        with pytest.raises(Refused, match="not in the ring"):
            served.services.vault.open(sealed, "fnd_1")


def test_what_a_new_data_key_has_sealed_survives_the_way_back(served: Served, file: Path) -> None:
    rotations, vault = served.services.rotations, served.services.vault
    first = read_rings(file)[DATA_KEY][0]
    made = rotations.rotate(DATA_KEY, mode=Mode.SCHEDULED, by="test", shown=False, grace=GRACE).rotation
    second = read_rings(file)[DATA_KEY][0]
    with served.services.transaction() as session:
        founder = session.query(Founder).first()
        assert founder is not None
        founder.email_cipher = vault.seal("a@b.example", founder.id)
        founder.email_index = vault.index("a@b.example")
        founder_id = founder.id
    assert rotations.machine.roll_back(made.id, "test").state is State.ROLLED_BACK
    assert read_rings(file)[DATA_KEY][0] == first
    with served.services.transaction() as session:
        sealed = session.get_one(Founder, founder_id).email_cipher
    assert sealed is not None and Vault(data_keys(first)).open(sealed, founder_id) == "a@b.example"
    in_a_backup = Vault(data_keys(second)).seal("kept", "x")
    rotations.rotate(DATA_KEY, mode=Mode.SCHEDULED, by="test", shown=False, grace=GRACE)
    assert read_rings(file)[DATA_KEY][1:] == [first, second]
    assert vault.open(in_a_backup, "x") == "kept"
