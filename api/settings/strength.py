"""Whether a secret could be one: made up by a machine, and not a sample that somebody left in place."""

from itertools import pairwise

MIN_LENGTH = 32
_MIN_CHARACTERS = 8  # different ones; 32 random hexadecimal digits have 14
_MIN_TRIPLES = 0.6  # share of different three-character pieces; nearly 1 in what is random
_MAX_STEPS = 0.7  # share of neighbours one step apart: abcdef, 123456, aaaaaa
_SAMPLES = ("changeme", "change-me", "change_me", "placeholder", "example", "replace", "secret", "password")


def weakness(secret: str) -> str:
    """Why it is no secret, as a predicate: "has fewer than …"; "" when nothing speaks against it."""
    if len(secret) < MIN_LENGTH:
        return f"has fewer than {MIN_LENGTH} characters"
    if any(sample in secret.lower() for sample in _SAMPLES) or (secret[0], secret[-1]) == ("<", ">"):
        return "is a placeholder"
    if len(set(secret)) < _MIN_CHARACTERS or _repeats(secret) or _counts(secret):
        return "can be guessed: it repeats itself or counts up"
    return ""


def _repeats(secret: str) -> bool:
    triples = [secret[at : at + 3] for at in range(len(secret) - 2)]
    return len(set(triples)) < _MIN_TRIPLES * len(triples)


def _counts(secret: str) -> bool:
    steps = [abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(secret)]
    return sum(steps) > _MAX_STEPS * len(steps)
