"""Personal data at rest: sealed for one row, found by a blind index, readable across a key rotation."""

import base64

import pytest

from api.core.crypto import Signer, Vault, data_keys
from api.core.errors import Refused

OLD = base64.b64encode(b"o" * 32).decode()
NEW = base64.b64encode(b"n" * 32).decode()


def test_what_was_sealed_opens_for_its_own_row_only() -> None:
    vault = Vault(data_keys(NEW))
    sealed = vault.seal("+15550100001", "fnd_a")
    assert b"1555" not in sealed
    assert vault.open(sealed, "fnd_a") == "+15550100001"
    with pytest.raises(Refused, match="belongs to another row"):
        vault.open(sealed, "fnd_b")


def test_a_flipped_bit_is_noticed() -> None:
    vault = Vault(data_keys(NEW))
    sealed = bytearray(vault.seal("anna@example.com", "wle_a"))
    sealed[-1] ^= 1
    with pytest.raises(Refused):
        vault.open(bytes(sealed), "wle_a")


def test_after_a_rotation_old_data_is_still_read_and_found() -> None:
    before, after = Vault(data_keys(OLD)), Vault(data_keys(NEW, OLD))
    sealed, index = before.seal("x", "r"), before.index("x")
    assert after.open(sealed, "r") == "x"
    assert index in after.indexes("x") and index != after.index("x")
    assert after.seal("x", "r")[1:5] != sealed[1:5]


def test_without_the_key_it_was_sealed_with_the_message_names_the_remedy() -> None:
    sealed = Vault(data_keys(OLD)).seal("x", "r")
    with pytest.raises(Refused, match="FIRSTUSER_DATA_KEY_PREVIOUS"):
        Vault(data_keys(NEW)).open(sealed, "r")


@pytest.mark.parametrize("value", ["not base64!", base64.b64encode(b"short").decode()])
def test_a_bad_data_key_is_refused_with_its_remedy(value: str) -> None:
    with pytest.raises(Refused, match="32 random bytes"):
        data_keys(value)


def test_no_data_key_at_all_is_refused() -> None:
    with pytest.raises(Refused, match="FIRSTUSER_DATA_KEY"):
        Vault([])


def test_a_signature_holds_for_its_purpose_and_across_a_rotation() -> None:
    old, new = "o" * 32, "n" * 32
    signature = Signer([old], "cookie").sign("id")
    assert Signer([new, old], "cookie").verify("id", signature)
    assert not Signer([new], "cookie").verify("id", signature)
    assert not Signer([old], "login-code").verify("id", signature)
    assert not Signer([old], "cookie").verify("other", signature)


def test_a_short_session_secret_is_refused() -> None:
    with pytest.raises(Refused, match="SESSION_SECRET"):
        Signer(["short"], "cookie")
