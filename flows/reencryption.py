"""Stored data to the current data key: the step of a rotation, and what `firstuser reencrypt` does.

The keys come from the settings of the process: no key, and nothing that is sealed, passes through Prefect.
"""

from dataclasses import asdict, dataclass
from typing import Any

from prefect import task

from api.core.clock import system_clock
from api.core.crypto import Vault, data_keys
from api.core.evidence import service as evidence
from api.core.ports import OnProgress
from api.core.rotation import reencryption
from api.core.rotation.reencryption import Moved, Proof, Standing
from api.settings.rings import DATA_KEY, rings
from flows import wiring
from flows.reporting import ProgressArtifact

EVIDENCE_STREAM = "rotation"
progress = ProgressArtifact()


@dataclass(frozen=True, slots=True)
class Reencrypted:
    moved: Moved
    proof: Proof

    @property
    def complete(self) -> bool:
        return self.proof.holds

    def document(self) -> dict[str, Any]:
        """Counts and the ids of rows that failed; no personal data."""
        proof = self.proof
        return {
            "complete": self.complete,
            "moved": self.moved.rows,
            "unreadable": list(self.moved.unreadable),
            "tables": [asdict(one) for one in proof.standings],
            "sampled": proof.sampled,
            "opened_with_current_key_alone": proof.opened,
            "failed": list(proof.unlike),
        }


@task(name="re-encrypt", task_run_name="re-encrypt", persist_result=False)
def reencrypt() -> dict[str, Any]:
    """`Reencrypted.document()`. The run shows a progress bar per table."""
    with progress.step():
        return reencrypt_now(progress).document()


def reencrypt_now(on_progress: OnProgress) -> Reencrypted:
    """Move everything, prove it, and leave evidence. Killed and called again it goes on."""
    keys = _keys()
    moved = reencryption.reencrypt(wiring.transaction, Vault(keys), on_progress)
    done = Reencrypted(moved, reencryption.prove(wiring.transaction, keys[0]))
    with wiring.transaction() as session:
        evidence.append(session, EVIDENCE_STREAM, "reencryption", done.document(), system_clock())
    return done


def standings() -> list[Standing]:
    with wiring.transaction() as session:
        return reencryption.standings(session, Vault(_keys()))


def _keys() -> list[bytes]:
    settings = wiring.settings()
    return data_keys(*rings(settings.platform, settings.service)[DATA_KEY])
