"""The login that a copy gets, also where the server takes no verifier or the administrator may too little."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from api.core.errors import Rejected, Unavailable
from api.db.address import opens
from api.providers.databases import copy_login
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.logins import Logins
from api.providers.databases.managed import addresses
from api.providers.databases.managed.opening import SETTING, open_copy
from tests.managed.logins import GROUP, LOGIN, PASSWORD, production

NEW = "of the copy: 'quoted' and 100% \\ / @"


class NeonConnection(psycopg.Connection[Any]):
    """As Neon answers, whose control plane keeps the passwords."""

    def execute(self, query: Any, *given: Any, **more: Any) -> psycopg.Cursor[Any]:
        text = query if isinstance(query, str) else query.as_string(self)
        if "PASSWORD 'SCRAM-SHA-256$" in text:
            said = 'HTTP code 400 from control plane: "Neon only supports being given plaintext passwords"'
            raise psycopg.errors.InternalError_(said)
        return super().execute(query, *given, **more)


@pytest.fixture
def urls(cluster: Cluster) -> Iterator[dict[str, str]]:
    with production(cluster) as found:
        yield {role: url.replace("localhost", "127.0.0.1") for role, url in found.items()}


@pytest.mark.parametrize("kind", [psycopg.Connection, NeonConnection])
def test_a_copy_is_opened_to_its_own_login_alone(
    urls: dict[str, str], kind: type[psycopg.Connection[Any]]
) -> None:
    with kind.connect(urls["admin"], autocommit=True) as connection:
        for _ in range(2):
            copy_login.admit(Logins(connection), GROUP, NEW)
    assert opens(addresses.with_login(urls["admin"], copy_login.COPY, NEW))
    assert not opens(addresses.with_login(urls["admin"], copy_login.COPY, PASSWORD))
    assert not opens(urls["app"])


def test_who_came_in_with_a_login_of_production_before_has_to_go(urls: dict[str, str]) -> None:
    with (
        psycopg.connect(urls["app"]) as thief,
        psycopg.connect(urls["admin"], autocommit=True) as connection,
    ):
        thief.execute("SELECT 1")
        copy_login.admit(Logins(connection), GROUP, NEW)
        with pytest.raises(psycopg.OperationalError):
            thief.execute("SELECT 1")
        assert connection.execute("SELECT 1").fetchone() == (1,), "the administrator's own stays"


def test_another_failure_of_the_server_is_not_taken_for_neons(urls: dict[str, str]) -> None:
    class Broken(NeonConnection):
        def execute(self, query: Any, *given: Any, **more: Any) -> psycopg.Cursor[Any]:
            try:
                return super().execute(query, *given, **more)
            except psycopg.errors.InternalError_:
                raise psycopg.errors.InternalError_("out of order") from None

    out_of_order = pytest.raises(psycopg.errors.InternalError_, match="out of order")
    with Broken.connect(urls["admin"], autocommit=True) as connection, out_of_order:
        copy_login.admit(Logins(connection), GROUP, NEW)
    assert opens(urls["app"])


def test_an_administrator_who_may_too_little_is_told_so(urls: dict[str, str]) -> None:
    with pytest.raises(Rejected) as refused:
        open_copy(urls["app"], GROUP, NEW, "neon")
    assert SETTING in refused.value.fix
    assert NEW not in str(refused.value) + refused.value.fix
    assert opens(urls["app"])


def test_a_copy_that_knows_no_such_product_is_refused(urls: dict[str, str]) -> None:
    with pytest.raises(Rejected, match='"another" does not exist'):
        open_copy(urls["admin"], "another", NEW, "neon")
    assert opens(urls["app"])


def test_an_administrator_who_is_not_let_in_may_try_again(urls: dict[str, str]) -> None:
    url = addresses.with_login(urls["admin"], LOGIN, "wrong")
    with pytest.raises(Unavailable) as refused:
        open_copy(url, GROUP, NEW, "neon")
    assert refused.value.retryable
    assert "wrong" not in str(refused.value)
