"""Signatures: the published vectors, the reference library both ways, and a corpus of what strangers send."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from api.core.errors import Refused
from api.core.webhooks import signing
from api.core.webhooks.signing import ID, SIGNATURE, TIMESTAMP, Verdict

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = b'{"test": 2432232314}'
ID_SENT = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = datetime.fromtimestamp(1614265330, UTC)
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SENT = {ID: ID_SENT, TIMESTAMP: "1614265330", SIGNATURE: GOOD}


@pytest.mark.parametrize(
    ("secret", "message_id", "timestamp", "body", "signature"),
    [
        (SECRET, ID_SENT, "1614265330", BODY, GOOD),
        (
            OTHER,
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            "1649367553",
            b'{"email":"test@example.com","username":"test_user"}',
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
    ],
)
def test_the_published_vectors(
    secret: str, message_id: str, timestamp: str, body: bytes, signature: str
) -> None:
    assert signing.sign([secret], message_id, timestamp, body) == signature


@given(st.text(max_size=200), st.lists(st.binary(min_size=1, max_size=64), min_size=1, max_size=3))
def test_the_reference_library_accepts_ours_with_each_secret(body: str, keys: list[bytes]) -> None:
    secrets = ["whsec_" + base64.b64encode(key).decode() for key in keys]
    sent = signing.headers(secrets, "msg_1", datetime.now(UTC), body.encode())
    for secret in secrets:
        Webhook(secret).verify(body.encode(), sent, json_parse=False)


@given(st.text(max_size=200), st.text("abcdef_0123456789", min_size=1), st.integers(0, 2**33))
def test_what_the_reference_library_signs_is_genuine(body: str, message_id: str, seconds: int) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    signature = Webhook(OTHER).sign(message_id, at, body)
    sent = {ID: message_id, TIMESTAMP: str(seconds), SIGNATURE: signature}
    assert signing.verify([SECRET, OTHER], sent, body.encode(), at) == Verdict.GENUINE
    assert signing.verify([SECRET], sent, body.encode(), at) == Verdict.NO_MATCH
    assert signing.verify([OTHER], sent, body.encode() + b" ", at) == Verdict.NO_MATCH


@pytest.mark.parametrize("body", [b"", b"\xff\xfe not utf-8", "Größe 日本".encode()])
def test_the_bytes_signed_are_the_bytes_sent(body: bytes) -> None:
    sent = signing.headers([SECRET], "msg_1", AT, body)
    assert signing.verify([SECRET], sent, body, AT) == Verdict.GENUINE


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, Verdict.GENUINE),
        ({SIGNATURE: f"v1,AAAA v1,!!! {GOOD}"}, Verdict.GENUINE),
        ({SIGNATURE: f"v2,AAAA  {GOOD}"}, Verdict.GENUINE),
        ({ID: ""}, Verdict.NO_HEADERS),
        ({TIMESTAMP: ""}, Verdict.NO_HEADERS),
        ({SIGNATURE: ""}, Verdict.NO_HEADERS),
        ({TIMESTAMP: "soon"}, Verdict.BAD_TIMESTAMP),
        ({TIMESTAMP: "-1"}, Verdict.BAD_TIMESTAMP),
        ({TIMESTAMP: "1614265330.0"}, Verdict.BAD_TIMESTAMP),
        ({TIMESTAMP: "\u0661"}, Verdict.BAD_TIMESTAMP),
        ({TIMESTAMP: "9" * 400}, Verdict.BAD_TIMESTAMP),
        ({TIMESTAMP: str(1614265330 - 301)}, Verdict.TOO_OLD),
        ({TIMESTAMP: str(1614265330 + 301)}, Verdict.TOO_NEW),
        ({TIMESTAMP: str(1614265330 + 300)}, Verdict.NO_MATCH),
        ({SIGNATURE: GOOD.replace("v1", "v2")}, Verdict.NO_SIGNATURE),
        ({SIGNATURE: GOOD.removeprefix("v1,")}, Verdict.NO_SIGNATURE),
        ({SIGNATURE: " "}, Verdict.NO_SIGNATURE),
        ({SIGNATURE: "v1,"}, Verdict.NO_MATCH),
        ({SIGNATURE: GOOD[:-2]}, Verdict.NO_MATCH),
        ({SIGNATURE: "v1,\udcff"}, Verdict.NO_MATCH),
        ({ID: "msg_other"}, Verdict.NO_MATCH),
    ],
)
def test_what_strangers_send(changed: dict[str, str], verdict: Verdict) -> None:
    assert signing.verify([SECRET], {**SENT, **changed}, BODY, AT) == verdict


@given(st.dictionaries(st.sampled_from([ID, TIMESTAMP, SIGNATURE]), st.text()), st.binary())
def test_no_input_breaks_it(sent: dict[str, str], body: bytes) -> None:
    assert signing.verify([SECRET], sent, body, AT) != Verdict.GENUINE


def test_the_tolerance_is_five_minutes_each_way() -> None:
    for seconds in (-300, 300):
        assert signing.verify([SECRET], SENT, BODY, AT + timedelta(seconds=seconds)) == Verdict.GENUINE


def test_a_new_secret_holds_32_random_bytes() -> None:
    first, second = signing.generate(), signing.generate()
    assert first != second and len(base64.b64decode(first.removeprefix("whsec_"))) == 32


@pytest.mark.parametrize("text", ["x" * 40, "not-base_64!", SECRET, "ä"])
def test_the_platforms_secret_may_have_any_shape(text: str) -> None:
    secret = signing.from_platform(text)
    sent = signing.headers([secret], "msg_1", datetime.now(UTC), BODY)
    Webhook(secret).verify(BODY, sent)
    assert (secret == SECRET) is (text == SECRET)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_ä", "not base64!", "whsec_A"])
def test_a_damaged_secret_is_refused_in_words(secret: str) -> None:
    with pytest.raises(Refused, match="not base64"):
        signing.sign([secret], "msg_1", "1", b"")
