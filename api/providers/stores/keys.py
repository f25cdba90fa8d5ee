"""What a key may look like, in every store."""

from api.core.errors import Refused

TREE = ".tree"


def checked(key: str) -> str:
    """The key itself. Raises `Refused` for one that could leave the store or hide in it."""
    if not key or any(not part or part.startswith(".") for part in key.split("/")):
        raise Refused(f"{key!r} is no key of an object store.", fix="Use names separated by single slashes.")
    return key
