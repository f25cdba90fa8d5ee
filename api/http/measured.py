"""What a look at all queues and loops finds: for the metrics and for the Ops page."""

from dataclasses import dataclass

from api.core.webhooks.standing import Standing
from api.core.webhooks.totals import Totals
from api.http.proven import Proven


@dataclass(frozen=True, slots=True)
class Measured:
    """`silent`: loop → seconds since its last sign of life. `open_alerts`: by severity."""

    standing: Standing
    oldest_due_seconds: float
    totals: Totals
    silent: dict[str, float]
    open_alerts: dict[str, int]
    messages_waiting: int
    proven: Proven
