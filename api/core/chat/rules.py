"""What a message may hold: plain text, cleaned of what would show or do something else than it says."""

import re
import unicodedata

from api.core.errors import Refused

MAX_TEXT = 4000
CLIENT_ID = r"^[A-Za-z0-9_-]{1,64}$"

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Controls but for tab and line feed, halves of surrogate pairs, and the bidirectional embeddings, overrides
# and isolates (CVE-2021-42574): they can make a text read as something that it is not.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = {"Cf", "Zs", "Zl", "Zp", "Cc", "Mn", "Me"}


def clean(text: str) -> str:
    """The text as it is kept and shown. Raises `Refused` `text_invalid` when nothing or too much is left."""
    kept = _UNWANTED.sub("", _LINE_ENDS.sub("\n", text)).strip()
    if all(unicodedata.category(character) in _INVISIBLE for character in kept):
        raise Refused("The message is empty.", fix="Write something.", code="text_invalid")
    if len(kept) > MAX_TEXT:
        raise Refused(
            f"The message has {len(kept)} characters.",
            fix=f"Send at most {MAX_TEXT} at a time.",
            code="text_invalid",
        )
    return kept
