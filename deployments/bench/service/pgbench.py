"""The limit: `pgbench`, which PostgreSQL's own makers measure with, sending the same statements."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from api.providers.databases.embedded.cluster import Cluster
from deployments.bench.service.ground import INTEGRATIONS, Ground
from deployments.bench.service.statements import EXCHANGE, HEARTBEAT

CLIENTS = 16
_INTEGRATION = f"('int_' || :n::int % {INTEGRATIONS})"
_BEAT = "\\set n random(1, :people)\n" + HEARTBEAT.replace("$1::text", _INTEGRATION).replace(
    "$2::text", "('u' || :n::int)"
).replace("$3::timestamptz", "now()").replace("$4::text", "'live'")
# Every client has codes of its own.
_TAKE = "\\set k :k + 1\n\\set n :client_id * :each + :k\n" + EXCHANGE.replace(
    "$1::text", _INTEGRATION
).replace("$2::bytea", "sha256((:name || :n::int)::bytea)").replace(
    "$3::text", "('grt_p' || :n::int)"
).replace("$4::timestamptz", "now()").replace("$5::text", "('request ' || :n::int)").replace(
    "$6::text", "'https://partner.example/back'"
)
_TPS = re.compile(r"tps = ([\d.]+)")


@dataclass(frozen=True, slots=True)
class PgBench:
    cluster: Cluster
    ground: Ground
    scripts: Path

    def heartbeats(self, seconds: float) -> float:
        """Transactions a second."""
        return self._run("heartbeat", _BEAT, seconds, {"people": self.ground.people})

    def exchanges(self, seconds: float, codes: str) -> float:
        """`codes`: what their names begin with."""
        script = _TAKE.replace(":name", f"'{codes}'")
        return self._run("exchange", script, seconds, {"k": 0, "each": self.ground.codes // CLIENTS})

    def _run(self, name: str, script: str, seconds: float, variables: dict[str, int]) -> float:
        file = self.scripts / f"{name}.sql"
        file.write_text(script)
        defined = [f"--define={name}={value}" for name, value in variables.items()]
        ran = subprocess.run(
            [
                str(self.cluster.binaries.bin / "pgbench"),
                "--no-vacuum",
                "--protocol=prepared",
                f"--client={CLIENTS}",
                "--jobs=2",
                f"--time={max(1, round(seconds))}",
                f"--file={file}",
                *defined,
                self.ground.url,
            ],
            check=False,
            capture_output=True,
            text=True,
        )
        found = _TPS.search(ran.stdout)
        if ran.returncode or found is None:
            raise ValueError(ran.stdout + ran.stderr)
        return float(found[1])
