"""Every column that hangs on the data-encryption ring. A test holds the database to these lists.

`SEALED`     can be brought to the current key: sealed text, with its blind index where there is one
`DIES_OUT`   blind indexes of what we don't keep; rows that go by themselves within the time given here
`NOT_SEALED` every other column of bytes, with what it holds
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class SealedTable:
    """`name` with its schema where that is not `public`. `columns`: sealed column → the column of its blind
    index, None without one. The words of `key`, joined by a blank, are what a row's text is sealed for."""

    name: str
    key: Sequence[str]
    columns: Mapping[str, str | None]


_PERSON = {"phone_cipher": "phone_index", "email_cipher": "email_index"}

SEALED: Sequence[SealedTable] = (
    SealedTable("founders", ("id",), _PERSON),
    SealedTable("entries", ("id",), _PERSON),
    SealedTable("webhook_secrets", ("id",), {"secret_cipher": None}),
    SealedTable("idempotency_keys", ("caller", "operation", "key"), {"response_cipher": None}),
    SealedTable("ops.owners", ("id",), {"address_cipher": None}),
    SealedTable("ops.rotations", ("id",), {"handover": None, "witness": None}),
)
DIES_OUT: Mapping[tuple[str, str], timedelta] = {
    ("login_codes", "identifier_index"): timedelta(days=2),
    ("login_codes", "ip_index"): timedelta(days=2),
}
NOT_SEALED: Mapping[tuple[str, str], str] = {
    ("access_codes", "code_sha256"): "hash of a code",
    ("alert_ack_codes", "code_sha256"): "hash of a code",
    ("api_keys", "secret_sha256"): "hash of a key",
    ("idempotency_keys", "body_sha256"): "hash of a request",
    ("login_codes", "code_hmac"): "signature under the session ring",
    ("ops.owners", "code_sha256"): "hash of a code",
    ("sessions", "id_hash"): "hash of a session's id",
    ("waitlist_starts", "token_sha256"): "hash of a token",
    ("webhook_messages", "body"): "an event without personal data, signed when it is sent",
}
