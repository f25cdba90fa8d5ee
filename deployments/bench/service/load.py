"""The load generator, the same for every server: wrk, in C as pgbench is, so that it takes little from them.

Keep-alive connections, each with one request under way at a time; what they send is made by `requests.lua`.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from api.core.errors import Refused

Kind = Literal["healthz", "heartbeat", "exchange", "users_live", "me"]
_SCRIPT = Path(__file__).parent / "requests.lua"
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class Load:
    """`people` and the order of `api_keys` as in `Ground`. Exchanges use the codes whose names begin with
    `codes`, from number `first` on."""

    kind: Kind
    port: int
    seconds: int
    connections: int
    api_keys: Sequence[str]
    people: int
    codes: str = ""
    first: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """`refused`: answers with 400 and above. `lost`: connections and answers that did not come.
    `next_number`: the first code that was not sent. Times in seconds."""

    requests: int
    refused: int
    lost: int
    seconds: float
    p50: float
    p99: float
    next_number: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def program() -> str:
    """Raises `Refused`: any other generator would take more of the processors, and other rates come out."""
    found = shutil.which("wrk")
    if found is None:
        raise Refused(
            "The API's benches need the load generator wrk, which is not on PATH.",
            fix="Debian, as root: apt-get install wrk. Or measure the rest: --only restore --only drill",
        )
    return found


def run(load: Load) -> Result:
    """One thread: no server here keeps up with it. Raises `CalledProcessError`."""
    options = {
        "threads": 1,
        "connections": load.connections,
        "duration": f"{load.seconds}s",
        "timeout": f"{_TIMEOUT_S}s",
        "script": _SCRIPT,
    }
    command = [program(), *[f"--{name}={value}" for name, value in options.items()]]
    script = [load.kind, str(load.people), ",".join(load.api_keys), str(load.first), load.codes]
    ran = subprocess.run(
        [*command, f"http://127.0.0.1:{load.port}", "--", *script], check=True, capture_output=True, text=True
    )
    return Result(**json.loads(ran.stdout.splitlines()[-1]))
