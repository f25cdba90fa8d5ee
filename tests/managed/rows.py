"""A row per vendor: its fake, the settings that lead to it, and what its drill has to be told."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from api.settings import Settings, load
from tests.managed import neon, railway, rds, render, supabase
from tests.managed.neon import FakeNeon
from tests.managed.places import Places
from tests.managed.railway import FakeRailwayPostgres
from tests.managed.rds import FakeAurora, FakeRds
from tests.managed.render import FakeRenderPostgres
from tests.managed.supabase import FakeSupabase
from tests.managed.vendor import FakeVendor
from tests.platforms.fake import TOKEN
from tests.platforms.railway import PLACE

Passwords = dict[str, str] | None


@dataclass(frozen=True)
class Row:
    """`settings` of a running fake, `needs` the ones it cannot do without; `reach`: how long ago a
    moment may be that tests restore to."""

    fake: Callable[[Places, Passwords], FakeVendor]
    settings: Callable[[FakeVendor], Mapping[str, str]]
    needs: str
    reach: timedelta = timedelta(minutes=20)


def neon_settings(fake: FakeVendor) -> dict[str, str]:
    return {"FIRSTUSER_NEON_URL": fake.url, "NEON_API_KEY": TOKEN, "NEON_PROJECT_ID": neon.PROJECT}


def rds_settings(fake: FakeVendor) -> dict[str, str]:
    return {
        "FIRSTUSER_AWS_URL": fake.url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": TOKEN,
        "AWS_SECRET_ACCESS_KEY": rds.SECRET,
        "FIRSTUSER_RDS_INSTANCE": rds.INSTANCE,
        "FIRSTUSER_RDS_CLUSTER": rds.CLUSTER,
    }


def supabase_settings(fake: FakeVendor) -> dict[str, str]:
    return {
        "FIRSTUSER_SUPABASE_URL": fake.url,
        "SUPABASE_ACCESS_TOKEN": TOKEN,
        "SUPABASE_PROJECT_REF": supabase.PROJECT,
    }


def render_settings(fake: FakeVendor) -> dict[str, str]:
    return {
        "FIRSTUSER_RENDER_URL": fake.url,
        "RENDER_API_KEY": TOKEN,
        "RENDER_POSTGRES_ID": render.POSTGRES,
        "FIRSTUSER_RESTORE_LAG_SECONDS": "2",
    }


def railway_settings(fake: FakeVendor) -> dict[str, str]:
    return {
        "FIRSTUSER_RAILWAY_URL": fake.url,
        "RAILWAY_TOKEN": TOKEN,
        "RAILWAY_PROJECT_ID": PLACE["projectId"],
        "RAILWAY_ENVIRONMENT_ID": PLACE["environmentId"],
        "RAILWAY_DATABASE_SERVICE_ID": railway.SERVICE,
        "FIRSTUSER_RESTORE_LAG_SECONDS": "2",
    }


ROWS: Mapping[str, Row] = {
    "rds": Row(FakeRds, rds_settings, "FIRSTUSER_RDS_INSTANCE"),
    "aurora": Row(FakeAurora, rds_settings, "FIRSTUSER_RDS_CLUSTER"),
    "neon": Row(FakeNeon, neon_settings, "NEON_API_KEY and NEON_PROJECT_ID"),
    "supabase": Row(
        FakeSupabase,
        supabase_settings,
        "SUPABASE_ACCESS_TOKEN and SUPABASE_PROJECT_REF",
        reach=timedelta(seconds=20),
    ),
    "render": Row(FakeRenderPostgres, render_settings, "RENDER_API_KEY and RENDER_POSTGRES_ID"),
    "railway": Row(FakeRailwayPostgres, railway_settings, "RAILWAY_DATABASE_SERVICE_ID"),
}


def environment(name: str, fake: FakeVendor, admin_url: str, poll_s: float = 0.05) -> dict[str, str]:
    return {
        "FIRSTUSER_DATABASE_PROVIDER": name,
        "FIRSTUSER_DRILL_ADMIN_DATABASE_URL": admin_url,
        "FIRSTUSER_RESTORE_POLL_SECONDS": str(poll_s),
        "FIRSTUSER_RESTORE_TIMEOUT_SECONDS": "120",
        **ROWS[name].settings(fake),
    }


def settings_from(values: Mapping[str, str], folder: Path) -> Settings:
    """As a process reads them from its file."""
    file = folder / "vendor.env"
    given = {"FIRSTUSER_DATA_KEY": b64encode(bytes(32)).decode(), **values}
    file.write_text("".join(f"{name}='{value}'\n" for name, value in given.items()))
    return load(file)
