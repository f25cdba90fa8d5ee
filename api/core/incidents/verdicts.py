"""What a rule says of its observations at one moment."""

from enum import StrEnum


class Verdict(StrEnum):
    """`NO_DATA` and `INSUFFICIENT` are no health: they may page a person and never act."""

    OK = "OK"
    INSUFFICIENT = "INSUFFICIENT"
    NO_DATA = "NO_DATA"
    PENDING = "PENDING"
    TRIP = "TRIP"
