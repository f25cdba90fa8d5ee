"""Permissions found out by using them, where using them changes nothing."""

from collections.abc import Callable
from typing import TypeVar

from api.core.errors import FirstUserError
from api.core.ports import Permission

Found = TypeVar("Found")


def tried(what: str, call: Callable[[], Found], said: Callable[[Found], str]) -> Permission:
    """`said`: what was found, without secrets."""
    try:
        return Permission(what, True, said(call()))
    except FirstUserError as error:
        return Permission(what, False, error.message, error.fix)
