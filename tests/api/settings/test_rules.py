"""Rules of the settings: each bad value is named, every one of them, and never shown."""

from collections.abc import Mapping

import pytest
from pydantic import SecretStr

from api.settings import GROUPS, Settings
from api.settings.rules import Problem, problems

GOOD = {
    "FIRSTUSER_ENV": "production",
    "DATABASE_URL": "postgresql://app:pw@db.example.net/firstuser?sslmode=verify-full",
    "SESSION_SECRET": "X99AeBxpxbe08tTvyisltVBpGICLK5TNPwR5ky3nzoS4jK3YQj1mO8KOnxuTbap0",
    "PUBLIC_APP_URL": "https://app.firstuser.example",
    "TEXTBELT_API_KEY": "264805367fab0861c87c2a1bf9cea8f6d5e2f3c5bd8f31cf7c7f589552425460",
    "SENDGRID_API_KEY": "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",
    "EMAIL_FROM": "FirstUser <hello@firstuser.example>",
    "FOUNDER_PHONES": "+491701234567, +12025550123",
    "HOMEPAGE_OWNER_PHONE": "+491701234567",
    "VITE_HOMEPAGE_SPACE_SLUG": "first-user",
    "INTEGRATION_WIDGET_SIGNING_SECRET": "FEvadAJWpfH9KV5SWp2VJ3px0wFW1zXTSu16MsuNtRyPDfHpv1dVxxpbvi772jE5",
    "INTEGRATION_WEBHOOK_SIGNING_SECRET": "iA1uMTaR14VPE8xVEo9_01giqSbtdN4T1nkoKk5cO0hEJYo9DyDrpKpF4zjqAZ_5",
    "OPS_ALERT_WEBHOOK_URL": "https://hooks.slack.example/services/T/B/x",
    "FIRSTUSER_DATA_KEY": "ACPxRM1GC3BnQXeBx0dqMVTbBEb9f/RzqsgRR602VHk=",
    "FIRSTUSER_OUTBOUND": "live",
    "FIRSTUSER_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::/32, 192.0.2.1",
}
THE_TWELVE = {
    "DATABASE_URL",
    "SESSION_SECRET",
    "PUBLIC_APP_URL",
    "TEXTBELT_API_KEY",
    "SENDGRID_API_KEY",
    "EMAIL_FROM",
    "FOUNDER_PHONES",
    "HOMEPAGE_OWNER_PHONE",
    "VITE_HOMEPAGE_SPACE_SLUG",
    "INTEGRATION_WIDGET_SIGNING_SECRET",
    "INTEGRATION_WEBHOOK_SIGNING_SECRET",
    "OPS_ALERT_WEBHOOK_URL",
}
EMBEDDED = {
    "FIRSTUSER_EMBEDDED": "true",
    "PUBLIC_APP_URL": "http://127.0.0.1:8000",
    "DATABASE_URL": "postgresql://firstuser_app@127.0.0.1:5440/firstuser",
    "FIRSTUSER_OUTBOUND": "outbox",
}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in GROUPS.values():
        for name in group.variables().values():
            monkeypatch.delenv(name, raising=False)


def settings(values: Mapping[str, str]) -> Settings:
    """As if the environment were exactly `values`."""
    fields = {
        kind: {name: values[variable] for name, variable in group.variables().items() if values.get(variable)}
        for kind, group in GROUPS.items()
    }
    return Settings(**{kind: group.read(None, **fields[kind]) for kind, group in GROUPS.items()})  # type: ignore[arg-type]


def found(**changed: str) -> list[Problem]:
    return problems(settings(GOOD | changed))


def test_a_good_production_has_no_problem() -> None:
    assert found() == []
    assert found(FIRSTUSER_ENV="staging", FIRSTUSER_OUTBOUND="outbox", OPS_ALERT_WEBHOOK_URL="") == []


def test_a_ring_may_say_the_same_twice() -> None:
    """In the middle of a rotation, and on ECS between two of them."""
    assert found(SESSION_SECRET_PREVIOUS=GOOD["SESSION_SECRET"]) == []


def test_production_needs_all_twelve_and_says_so_of_each() -> None:
    bare = problems(settings({"FIRSTUSER_ENV": "production"}))
    assert {problem.name for problem in bare} >= THE_TWELVE
    assert all(problem.fix for problem in bare)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://app:pw@db.example.net/firstuser"),
        ("DATABASE_URL", "postgresql://app:pw@db.example.net/firstuser"),
        ("DATABASE_URL", "postgresql://app:pw@db.example.net/firstuser?sslmode=prefer"),
        ("DATABASE_URL", "postgresql://app:pw@db.example.net/?sslmode=require"),
        ("DATABASE_URL", "postgresql://app:pw@db.example.net:port/firstuser?sslmode=require"),
        ("SESSION_SECRET", "too short"),
        ("SESSION_SECRET", "changeme-changeme-changeme-changeme"),
        ("SESSION_SECRET_PREVIOUS", "too short"),
        ("INTEGRATION_WIDGET_SIGNING_SECRET_PREVIOUS", GOOD["SESSION_SECRET"]),
        ("INTEGRATION_WIDGET_SIGNING_SECRET", "0123456789" * 4),
        ("INTEGRATION_WIDGET_SIGNING_SECRET", GOOD["SESSION_SECRET"]),
        ("INTEGRATION_WEBHOOK_SIGNING_SECRET", "a" * 32),
        ("PUBLIC_APP_URL", "http://app.firstuser.example"),
        ("PUBLIC_APP_URL", "https://app.firstuser.example/app"),
        ("PUBLIC_APP_URL", "https://app.firstuser.example?x=1"),
        ("PUBLIC_APP_URL", "https://user@app.firstuser.example"),
        ("PUBLIC_APP_URL", "app.firstuser.example"),
        ("PUBLIC_APP_URL", "https://127.0.0.1"),
        ("FOUNDER_PHONES", "+491701234567, 0170 1234567"),
        ("FOUNDER_PHONES", "+491701234567, +49 170 7654321"),
        ("FOUNDER_PHONES", "+491701234567, +19005551234"),
        ("HOMEPAGE_OWNER_PHONE", "anna"),
        ("HOMEPAGE_OWNER_PHONE", "+491709999999"),
        ("VITE_HOMEPAGE_SPACE_SLUG", "First User"),
        ("VITE_HOMEPAGE_SPACE_SLUG", "-x-"),
        ("EMAIL_FROM", "hello"),
        ("EMAIL_FROM", "FirstUser <hello>"),
        ("OPS_ALERT_WEBHOOK_URL", "http://hooks.slack.example/x"),
        ("OPS_ALERT_WEBHOOK_URL", "hooks"),
        ("FIRSTUSER_TEXTBELT_URL", "http://textbelt.example"),
        ("FIRSTUSER_SENDGRID_URL", "sendgrid"),
        ("FIRSTUSER_RENDER_URL", "http://render.example"),
        ("FIRSTUSER_NEON_URL", "http://neon.example"),
        ("FIRSTUSER_SUPABASE_URL", "http://supabase.example"),
        ("FIRSTUSER_CLOUDFLARE_URL", "http://cloudflare.example"),
        ("FIRSTUSER_AWS_URL", "http://aws.example"),
        ("FIRSTUSER_DATA_KEY", "c2hvcnQ="),
        ("FIRSTUSER_DATA_KEY_PREVIOUS", "not base64!"),
        ("FIRSTUSER_TRUSTED_PROXIES", "*"),
        ("FIRSTUSER_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("FIRSTUSER_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example"),
        ("FIRSTUSER_OUTBOUND", "outbox"),
        ("FIRSTUSER_SENDGRID_SANDBOX", "true"),
        ("TEXTBELT_API_KEY", f"{GOOD['TEXTBELT_API_KEY']}_test"),
        ("SENDGRID_API_KEY", "SG.with a space"),
        ("FIRSTUSER_ENV", "development"),
    ],
)
def test_one_bad_value_is_one_problem_that_does_not_show_it(name: str, value: str) -> None:
    (problem,) = found(**{name: value})
    assert problem.name == name and problem.what and problem.fix
    assert value not in {problem.what, problem.fix} and f" {value}" not in problem.what + problem.fix


def test_two_bad_phones_are_counted_and_not_shown() -> None:
    (problem,) = found(FOUNDER_PHONES="+491701234567,12,13")
    assert "number 2, 3" in problem.what


def test_the_embedded_stack_may_be_what_it_is() -> None:
    assert found(**EMBEDDED, OPS_ALERT_WEBHOOK_URL="", TEXTBELT_API_KEY="") == []
    assert found(**EMBEDDED, FIRSTUSER_ENV="staging") == []


@pytest.mark.parametrize("name", ["PUBLIC_APP_URL", "DATABASE_URL", "FIRSTUSER_EMBEDDED"])
def test_its_flag_alone_loosens_nothing(name: str) -> None:
    """Copied to a platform with one real address, or without the flag: the strict rules again."""
    mostly = {key: value for key, value in EMBEDDED.items() if key != name}
    assert "FIRSTUSER_OUTBOUND" in {problem.name for problem in found(**mostly)}


def test_live_messages_need_their_carriers_anywhere() -> None:
    names = {p.name for p in found(**EMBEDDED | {"FIRSTUSER_OUTBOUND": "live"}, TEXTBELT_API_KEY="")}
    assert names == {"TEXTBELT_API_KEY"}
    copy = EMBEDDED | {"FIRSTUSER_OUTBOUND": "live", "FIRSTUSER_RESTORED_COPY": "drill-x"}
    assert found(**copy, TEXTBELT_API_KEY="") == []


@pytest.mark.parametrize("url", ["postgresql:///firstuser", "postgresql:///firstuser?host=/run/postgresql"])
def test_a_socket_needs_no_tls(url: str) -> None:
    assert found(DATABASE_URL=url) == []


def test_no_secret_shows_in_a_problem() -> None:
    """Whatever is wrong with all of them at once."""
    planted = {name: f"planted {number}" for number, name in enumerate(sorted(THE_TWELVE))}
    said = str(problems(settings(GOOD | planted)))
    assert "planted" not in said
    assert all(SecretStr(value).get_secret_value() not in said for value in planted.values())
