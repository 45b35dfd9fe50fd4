"""The reconciliation bench in small: a termination that fails in 30 % of all requests and restarts in the middle."""

from __future__ import annotations

import os

import pytest

from twm_bench.ric.reconcile import run

pytestmark = pytest.mark.redis
LONG = os.environ.get("TWM_LONG") == "1"


@pytest.mark.timeout(600 if LONG else 120)
@pytest.mark.parametrize(("kind", "keep"), [("a1p", True), ("pms3", False)] if LONG else [("pms3", False)])
async def test_under_failures_and_a_restart_everything_is_there_once(kind: str, keep: bool, redis_url: str) -> None:
    count = 10_000 if LONG else 60
    found = await run(kind, count, redis_url=redis_url, keep=keep, timeout_s=1.0 if LONG else 0.4)
    wrong = (found.orphans, found.missing, found.duplicates, found.wrong, found.foreign_touched)
    assert (found.policies, wrong) == (count, (0, 0, 0, 0, 0))
    assert sum(found.faults.values()) > 0.15 * found.requests, "it did fail"
    if LONG:
        assert found.seconds <= 60
