"""What becomes of an attempt: for any code and any attempt, exactly what the contract says."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.core.access.exchange_rules import (
    REPLAY_WINDOW,
    Attempt,
    CodeFacts,
    Deny,
    GrantFacts,
    Replay,
    Use,
    attempt,
    decide,
    s256,
)
from tests.product import NOW

moments = st.integers(-400, 400).map(lambda seconds: NOW + timedelta(seconds=seconds))
some_text = st.sampled_from(["https://a.example/back", "https://b.example/back"])
challenges = st.none() | st.sampled_from([s256("v" * 43), s256("w" * 43)])
grants = st.builds(GrantFacts, st.sampled_from(["grt_1", "grt_2"]), moments, st.none() | moments)
active_grants = st.builds(GrantFacts, st.sampled_from(["grt_1", "grt_2"]), moments, st.none())
codes = st.builds(
    CodeFacts,
    integration_id=st.sampled_from(["int_1", "int_2"]),
    entry_id=st.just("wle_1"),
    entry_status=st.sampled_from(["accepted", "accepted", "waiting", "rejected"]),
    user_id=st.just("usr_1"),
    external_user_id=st.just("u1"),
    return_url=st.none() | some_text,
    code_challenge=challenges,
    expires_at=moments,
    used_at=st.none() | moments,
    used_key=st.none() | st.sampled_from(["k1", "k2"]),
    used_for=st.none() | grants,
    active=st.none() | active_grants,
)
attempts = st.builds(
    Attempt,
    integration_id=st.sampled_from(["int_1", "int_2"]),
    code_sha256=st.just(b"hash"),
    return_url=st.none() | some_text,
    challenge=challenges,
    key=st.sampled_from(["k1", "k2"]),
    at=moments,
)


def bound_as_tried(code: CodeFacts, tried: Attempt) -> bool:
    return code.return_url in {None, tried.return_url} and code.code_challenge == tried.challenge


@given(codes, attempts)
def test_a_code_is_used_only_unused_in_time_and_by_whom_it_is_for(code: CodeFacts, tried: Attempt) -> None:
    verdict = decide(code, tried)
    allowed = (
        code.used_at is None
        and code.integration_id == tried.integration_id
        and bound_as_tried(code, tried)
        and tried.at < code.expires_at
        and code.entry_status == "accepted"
    )
    assert isinstance(verdict, Use) == allowed
    if isinstance(verdict, Use):
        assert verdict.grant == code.active


@given(codes, attempts)
def test_an_answer_is_repeated_only_to_the_same_request_and_while_the_grant_stands(
    code: CodeFacts, tried: Attempt
) -> None:
    verdict = decide(code, tried)
    again = (
        code.used_at is not None
        and code.integration_id == tried.integration_id
        and bound_as_tried(code, tried)
        and code.used_key == tried.key
        and tried.at - code.used_at <= REPLAY_WINDOW
        and code.used_for is not None
        and code.used_for.revoked_at is None
    )
    assert isinstance(verdict, Replay) == again
    if isinstance(verdict, Replay):
        assert verdict.grant == code.used_for


@given(codes, attempts)
def test_only_a_second_use_by_its_own_integration_ends_a_grant_and_only_its_own(
    code: CodeFacts, tried: Attempt
) -> None:
    verdict = decide(code, tried)
    if isinstance(verdict, Deny) and verdict.revokes:
        assert code.used_at is not None and code.integration_id == tried.integration_id
        assert code.used_for is not None and verdict.revokes == code.used_for.id
    elif code.used_at is not None and code.integration_id == tried.integration_id and code.used_for:
        assert isinstance(verdict, Replay) or code.used_for.revoked_at is not None


@given(attempts)
def test_an_unknown_code_is_denied(tried: Attempt) -> None:
    assert isinstance(decide(None, tried), Deny)


def test_the_verifier_is_compared_as_rfc_7636_has_it() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert s256(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert attempt("int_1", "c", None, verifier, "k", NOW).challenge == s256(verifier)
    assert attempt("int_1", "c", None, None, "k", NOW).challenge is None
