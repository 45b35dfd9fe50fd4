"""Rules that act on the last frame: uniform, proportional, reactive."""

from __future__ import annotations

from twm.core.network import NetworkSpec
from twm.planner.reactive import proportional_batch, reactive_batch
from twm_bench.methods.method import Task
from twm_train.in_process import Decided, Observed, uniform_shares


class Uniform:
    """1/S everywhere."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        del task

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        return uniform_shares(observed)


class Proportional:
    """Every row in proportion to the loads last seen."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        self._spec: NetworkSpec = task.spec

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        prb, bandwidth = proportional_batch(self._spec, dict(observed.blocks))
        return Decided(prb_share_BCS=prb, bandwidth_share_BLS=bandwidth)


class Reactive:
    """The tuned rule that is the planner's fallback."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        self._spec: NetworkSpec = task.spec

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        running = observed.prb_share_BCS, observed.bandwidth_share_BLS
        prb, bandwidth = reactive_batch(self._spec, dict(observed.blocks), running)
        return Decided(prb_share_BCS=prb, bandwidth_share_BLS=bandwidth)
