"""The API as a process, the same on every platform: one uvicorn in front of `api.app:production_app`.

SIGTERM drains it (`api.http.draining`) and it exits with 0; a second SIGTERM skips the balancer's interval.
What is not done `GRACE_S` after the listener has closed is cancelled; what cannot be cancelled is left
behind `LAST_S` later, with exit code 1. A start that fails exits with 3, one with bad settings with 1.
"""

import gc
import os
import signal
import sys
from contextlib import suppress
from socket import socket
from threading import Timer
from types import FrameType

import uvicorn

from deployments.whole_answers import WholeAnswers

GRACE_S = 7
LAST_S = 2  # together less than the ten seconds after which most platforms kill
START_FAILED = 3
_GC_THRESHOLD = 10_000


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket] | None = None) -> None:
        """What was loaded stays: the collector need not look at it again and again."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        last = Timer(GRACE_S + LAST_S, os._exit, [1])
        last.daemon = True
        last.start()


def serve(host: str, port: int, factory: str = "api.app:production_app") -> None:
    """Returns when the process was drained. Forwarded addresses are the application's business: it knows
    which proxies it may believe."""
    config = uvicorn.Config(
        factory,
        factory=True,
        http=WholeAnswers,
        loop="uvloop",
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config)
    # uvicorn raises the signal anew when it is done; by default, a drained process would count as killed
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(START_FAILED)
