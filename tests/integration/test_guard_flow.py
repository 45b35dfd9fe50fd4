"""Attacks on approvals and the kill switch: nothing leaves that nobody meant, and what was meant does."""

from __future__ import annotations

import pytest

from twm_bench.language.guard_flow import KINDS, attack_approvals

pytestmark = pytest.mark.redis


async def test_nothing_leaves_that_nobody_meant() -> None:
    counts = await attack_approvals(len(KINDS), 11)
    assert counts.leaks == []
    assert counts.unsafe_passed == 0
    assert set(counts.kinds) == set(KINDS)
    # Approved again, delivered again, proposed again and two at once each let one policy out.
    assert counts.meant == counts.in_force >= 4
