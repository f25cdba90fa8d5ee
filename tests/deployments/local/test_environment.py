"""Environment files: secrets are private, lasting, and apart from each other."""

import stat
from pathlib import Path

import pytest

from api.settings import load
from deployments.local.environment import process_environment, read_env_file, setting_names, write_env_files
from deployments.local.layout import StateFolder
from deployments.local.ports import Ports
from deployments.local.prefect import encryption_key, profile_path, read_profile, write_profile

PORTS = Ports(postgres=1001, api=1002, staging=1003, prefect=1004)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path / "var")
    folder.create()
    return folder


def test_every_secret_file_is_private(state: StateFolder) -> None:
    write_env_files(state, PORTS, {})
    write_profile(state, PORTS)
    encryption_key(state)
    files = [path for path in (*state.secrets.iterdir(), profile_path(state)) if path.is_file()]
    assert len(files) >= 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(state.secrets.stat().st_mode) == 0o700


def test_secrets_stay_when_the_stack_starts_again(state: StateFolder) -> None:
    write_env_files(state, PORTS, {})
    first = read_env_file(state, "production")
    write_env_files(state, PORTS, {})
    assert read_env_file(state, "production") == first


def test_a_given_setting_holds_for_later_starts_until_it_is_taken_back(state: StateFolder) -> None:
    """A stack started once with an S3 store must not fall back to the directory at its next start."""
    write_env_files(state, PORTS, {"FIRSTUSER_TRAFFIC_RATE": "7", "UNRELATED": "x"})
    assert read_env_file(state, "production")["FIRSTUSER_TRAFFIC_RATE"] == "7"
    assert "UNRELATED" not in read_env_file(state, "production")
    write_env_files(state, PORTS, {})
    assert read_env_file(state, "production")["FIRSTUSER_TRAFFIC_RATE"] == "7"
    write_env_files(state, PORTS, {"FIRSTUSER_TRAFFIC_RATE": ""})
    assert "FIRSTUSER_TRAFFIC_RATE" not in read_env_file(state, "production")


def test_staging_reads_what_production_wrote_but_shares_no_session(state: StateFolder) -> None:
    write_env_files(state, PORTS, {})
    production, staging = read_env_file(state, "production"), read_env_file(state, "staging")
    assert production["FIRSTUSER_DATA_KEY"] == staging["FIRSTUSER_DATA_KEY"]
    assert production["SESSION_SECRET"] != staging["SESSION_SECRET"]
    assert production["DATABASE_URL"] != staging["DATABASE_URL"]


def test_staging_never_gets_the_means_to_reach_people(state: StateFolder) -> None:
    given = {
        "TEXTBELT_API_KEY": "planted-1",
        "SENDGRID_API_KEY": "planted-2",
        "OPS_ALERT_WEBHOOK_URL": "https://planted-3.example",
        "FIRSTUSER_OUTBOUND": "live",
    }
    write_env_files(state, PORTS, given)
    assert given.items() <= read_env_file(state, "production").items()
    assert "planted" not in state.env_file("staging").read_text()
    assert "FIRSTUSER_OUTBOUND" not in read_env_file(state, "staging")


def test_addresses_cannot_be_overridden(state: StateFolder) -> None:
    write_env_files(state, PORTS, {"DATABASE_URL": "postgresql://elsewhere/x", "FIRSTUSER_API_PORT": "9"})
    assert "127.0.0.1:1001" in read_env_file(state, "production")["DATABASE_URL"]
    assert read_env_file(state, "production")["FIRSTUSER_API_PORT"] == "1002"


@pytest.mark.parametrize("value", ["it's", 'a "b" c', "back\\slash", "a # b", "${HOME}", "x=y=z"])
def test_values_survive_the_file(state: StateFolder, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMAIL_FROM", raising=False)
    write_env_files(state, PORTS, {"EMAIL_FROM": value})
    assert read_env_file(state, "production")["EMAIL_FROM"] == value


def test_settings_are_read_from_the_file(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    write_env_files(state, PORTS, {})
    settings = load(state.env_file("staging"))
    assert settings.service.env == "staging"
    assert settings.stack.staging_port == PORTS.staging
    assert settings.stack.state_dir == state.root
    assert "@" in settings.platform.database_url.get_secret_value()


def test_no_process_starts_with_a_secret_in_its_environment(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "planted")
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere")
    write_env_files(state, PORTS, {"SENDGRID_API_KEY": "planted"})
    values = set(process_environment(state).values())
    assert not values & set(read_env_file(state, "production").values()) - {str(state.root)}
    assert "http://elsewhere" not in values


def test_prefect_runs_on_postgres_without_a_password_in_its_url(state: StateFolder) -> None:
    write_env_files(state, PORTS, {})
    write_profile(state, PORTS)
    profile = read_profile(state)
    assert profile["PREFECT_SERVER_DATABASE_CONNECTION_URL"].startswith(
        "postgresql+asyncpg://prefect@127.0.0.1"
    )
    assert profile["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert profile["PREFECT_API_AUTH_STRING"] == profile["PREFECT_SERVER_API_AUTH_STRING"]


def test_the_key_of_stored_blocks_never_changes(state: StateFolder) -> None:
    assert encryption_key(state) == encryption_key(state)
