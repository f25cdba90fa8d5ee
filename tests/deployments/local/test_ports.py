"""Ports: free ones are found and kept; a taken one is named together with its setting."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.core.errors import Conflict
from api.settings import StackSettings
from deployments.local.layout import StateFolder
from deployments.local.ports import Ports, choose, read_ports, write_ports


def settings(**ports: int) -> StackSettings:
    wanted = {f"{name}_port": 0 for name in ("postgres", "api", "staging", "prefect")}
    return StackSettings.model_validate(wanted | {f"{name}_port": port for name, port in ports.items()})


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_taken_port_is_named_with_its_setting_and_its_holder(taken: int) -> None:
    with pytest.raises(Conflict) as refused:
        choose(settings(staging=taken), None)
    assert str(taken) in refused.value.message
    assert str(os.getpid()) in refused.value.message
    assert "FIRSTUSER_STAGING_PORT" in refused.value.fix


def test_a_free_port_is_taken_as_asked() -> None:
    wanted = free()
    assert choose(settings(api=wanted), None).api == wanted


def test_one_port_for_two_parts_is_refused_with_both_settings() -> None:
    wanted = free()
    with pytest.raises(Conflict) as refused:
        choose(settings(api=wanted, staging=wanted), None)
    assert "FIRSTUSER_API_PORT" in str(refused.value)
    assert "FIRSTUSER_STAGING_PORT" in str(refused.value)


def test_zero_takes_different_free_ports_and_keeps_them() -> None:
    first = choose(settings(), None)
    assert len({first.postgres, first.api, first.staging, first.prefect}) == 4
    assert choose(settings(), first) == first


def test_a_kept_port_that_somebody_else_has_by_now_is_replaced(taken: int) -> None:
    kept = Ports(postgres=free(), api=taken, staging=free(), prefect=free())
    chosen = choose(settings(), kept)
    assert chosen.api not in {taken, 0}
    assert chosen.postgres == kept.postgres


def test_ports_are_read_back_as_written(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    assert read_ports(state) is None
    ports = Ports(1, 2, 3, 4)
    write_ports(state, ports)
    assert read_ports(state) == ports


def test_a_damaged_stack_file_says_what_to_do(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.stack_file.write_text("{")
    with pytest.raises(Conflict, match="Delete it"):
        read_ports(state)


def test_ports_of_an_earlier_start_hold_until_others_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POSTGRES", "API", "STAGING", "PREFECT"):
        monkeypatch.delenv(f"FIRSTUSER_{name}_PORT", raising=False)
    before = choose(settings(), None)
    assert choose(StackSettings(), before) == before
    wanted = free()
    monkeypatch.setenv("FIRSTUSER_API_PORT", str(wanted))
    after = choose(StackSettings(), before)
    assert (after.api, after.staging) == (wanted, before.staging)
