"""What goes wrong on platforms: patience that they ask for, answers that get lost, tokens that expire."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from api.core.errors import Rejected, TimedOut, Unavailable
from api.core.rotation.stores import SecretStore, Stage
from api.providers import http
from api.providers.platforms.fly import Fly
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from api.providers.secret_stores.variables import Variables, VariableStore
from tests.platforms.fake import TOKEN, FakePlatform, Reply, Trouble, broken, lost, on_loopback, too_many
from tests.platforms.fly import APP, FakeFly
from tests.platforms.railway import PLACE, FakeRailway, refused
from tests.platforms.render import SERVICE, FakeRender

NAME = "SESSION_SECRET"
VALUE = 'b7Qm2"xR/9 é+Lt5'
WRITES = {"render": "PUT", "railway": "POST", "fly": "POST"}


@dataclass
class Case:
    platform: FakePlatform
    store: SecretStore
    slept: list[float]


def adapter(platform: FakePlatform) -> Variables:
    if isinstance(platform, FakeRender):
        return Render(platform.url, TOKEN, SERVICE)
    if isinstance(platform, FakeFly):
        return Fly(platform.url, TOKEN, APP)
    return Railway(platform.url, token_header(TOKEN, None), PLACE)


@pytest.fixture(params=[FakeRender, FakeRailway, FakeFly])
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """With a current version, and a clock that nobody waits for."""
    slept: list[float] = []
    monkeypatch.setattr(http, "time", SimpleNamespace(sleep=slept.append))
    with on_loopback(request.param()) as platform:
        store = VariableStore(adapter(platform))
        store.put_pending(NAME, 1, "first")
        store.promote(NAME, 1)
        yield Case(platform, store, slept)


def current(case: Case) -> str:
    return case.store.read(NAME, Stage.CURRENT)


def test_patience_is_had_for_as_long_as_is_asked_for(case: Case) -> None:
    case.platform.troubles = [too_many(Retry_After="3"), too_many(Ratelimit_Reset="2"), broken(503)]
    case.store.put_pending(NAME, 2, VALUE)
    assert case.slept[:2] == [3, 2] and len(case.slept) == 3
    assert case.store.read(NAME, Stage.PENDING) == VALUE


def test_more_patience_than_we_have_is_an_error_that_says_how_much(case: Case) -> None:
    case.platform.troubles = [too_many(Retry_After="3600")]
    with pytest.raises(Unavailable, match="3600 s of patience") as error:
        case.store.describe(NAME)
    assert error.value.wait_s == 3600 and error.value.retryable
    assert case.slept == []


def test_an_answer_lost_after_the_write_changes_nothing(case: Case) -> None:
    method = WRITES[case.store.name]
    case.platform.troubles = [lost(method), lost(method), lost("DELETE")]
    case.store.put_pending(NAME, 2, VALUE)
    case.store.promote(NAME, 2)
    case.store.retire(NAME, 1)
    assert current(case) == VALUE
    assert {one.stage: one.version for one in case.store.describe(NAME)} == {Stage.CURRENT: 2}
    assert case.platform.variables["OTHER"] == "untouched"


def test_a_platform_that_stays_broken_is_given_up_and_gone_on_with_later(case: Case) -> None:
    case.platform.troubles = [broken(500) for _ in range(50)]
    with pytest.raises(TimedOut):
        case.store.put_pending(NAME, 2, VALUE)
    case.platform.troubles = []
    case.store.put_pending(NAME, 2, VALUE)
    case.store.promote(NAME, 2)
    assert current(case) == VALUE


def test_an_expired_token_is_no_reason_to_try_again(case: Case) -> None:
    before = len(case.platform.asked)
    case.platform.token = "another"
    with pytest.raises(Rejected) as error:
        case.store.put_pending(NAME, 2, VALUE)
    assert len(case.platform.asked) == before + 1
    assert "token" in error.value.fix and TOKEN not in str(error.value)


@pytest.mark.parametrize("form", [VALUE, 'b7Qm2\\"xR/9 é+Lt5'])
def test_no_error_quotes_a_value(case: Case, form: str) -> None:
    echo = f"the value {form} of {TOKEN} is not allowed"
    plain = Reply(400, {"message": echo, "error": echo})
    case.platform.troubles = [Trouble(refused(echo) if case.store.name == "railway" else plain)]
    with pytest.raises(Rejected) as error:
        adapter(case.platform).set({NAME: VALUE})
    said = f"{error.value} {error.value!r}"
    assert "not allowed" in said
    assert VALUE not in said and form not in said and TOKEN not in said


def test_fly_says_when_a_token_may_not_see_values() -> None:
    fake = FakeFly()
    fake.may_show = False
    fake.variables[NAME] = "first"
    with on_loopback(fake), pytest.raises(Rejected, match="hides the value") as error:
        VariableStore(adapter(fake)).describe(NAME)
    assert "right to read" in error.value.fix


def test_fly_takes_what_belongs_together_in_one_request() -> None:
    with on_loopback(FakeFly()) as fake:
        adapter(fake).set({"A": "1", "B": "2", "OTHER": None, "C": "3"})
        methods = [request.method for request in fake.asked]
    assert methods == ["POST", "DELETE", "POST"]
    assert fake.variables == {"A": "1", "B": "2", "C": "3"}


def test_railway_takes_either_kind_of_token_and_its_limit_in_an_answer_of_200() -> None:
    with on_loopback(FakeRailway()) as fake:
        team = Railway(fake.url, token_header(None, TOKEN), PLACE)
        team.set({"A": "1"})
        assert team.get(["A", "OTHER", "none"]) == {"A": "1", "OTHER": "untouched"}
        fake.troubles = [Trouble(refused("Rate limit exceeded"))]
        with pytest.raises(Unavailable):
            team.get(["A"])


def test_flys_own_scheme_of_tokens_is_sent_as_it_is() -> None:
    with on_loopback(FakeFly()) as fake:
        with pytest.raises(Rejected):
            Fly(fake.url, "FlyV1 fm2_abc", APP).get(["A"])
        assert fake.asked[0].headers["authorization"] == "FlyV1 fm2_abc"
