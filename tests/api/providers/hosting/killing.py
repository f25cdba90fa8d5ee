"""A process that is killed when its n-th request has been answered, or was about to be: it never reads the
answer, and asks for nothing more, whatever its `finally` would like to."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
from botocore.client import BaseClient


class Killed(BaseException):
    """No handler of the product catches it."""


@contextmanager
def killed_after(turn: int) -> Generator[None]:
    count = [0]

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **request: Any) -> Any:
            count[0] += 1
            if count[0] > turn:
                raise Killed
            answer = original(*args, **request)
            if count[0] == turn:
                raise Killed
            return answer

        return call

    with (
        patch.object(httpx.Client, "request", dying(httpx.Client.request)),
        patch.object(BaseClient, "_make_api_call", dying(BaseClient._make_api_call)),  # type: ignore[attr-defined]
    ):
        yield
