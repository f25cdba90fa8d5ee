"""Tests of one group share what is dear to start: the suite is slow and in its own way where they do not."""

import pytest


@pytest.mark.xdist_group("together")
def test_a_group_is_kept_together(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process runs all")
    assert request.node.nodeid.endswith("@together")
