"""Policies that act in one forward pass: PPO, trained without a model, and the actor that was trained in the world model."""

from __future__ import annotations

import asyncio

import numpy as np

from twm.core.errors import ModelMismatchError
from twm.planner.space import ShareSpace
from twm_bench.methods.forecast import world_model
from twm_bench.methods.method import AbsentError, Task
from twm_train.in_process import Decided, Observed

SAVING_WANTED_RATIO = 0.08


class Ppo:
    """The model-free rival."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        try:
            from twm_bench.rivals.ppo.method import PpoMethod

            self._policy = PpoMethod(task.spec, calendar=task.variant == "calendar")
        except (ModuleNotFoundError, OSError, ModelMismatchError) as error:
            raise AbsentError(f"not trained: {error}; python -m twm_bench.rivals.ppo train") from error

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        shares = [self._policy.decide(frames, observed.running(i)) for i, frames in enumerate(observed.frames_B)]
        return Decided(prb_share_BCS=np.stack([s[0] for s in shares]), bandwidth_share_BLS=np.stack([s[1] for s in shares]))


class ActorOnly:
    """The first step of the actor's best guess, made feasible; no search, no verification."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        self._spec, self._peers = task.spec, world_model(task)

    def decide(self, observed: Observed) -> Decided:
        """See Method. Raises AbsentError where the zoo has no actor."""
        prb, bandwidth = [], []
        for i, messages in enumerate(observed.messages_B):
            running = observed.running(i)
            plans = asyncio.run(self._peers.propose(messages, running, SAVING_WANTED_RATIO, float("inf")))
            if plans is None:
                raise AbsentError("not trained: the zoo has no actor for this network")
            space = ShareSpace(self._spec, running)
            policy = space.policies(space.feasible(space.stack(plans.policies.take([0]))))
            prb.append(policy.prb_share_KHCS[0, 0])
            bandwidth.append(policy.bandwidth_share_KHLS[0, 0])
        return Decided(prb_share_BCS=np.stack(prb), bandwidth_share_BLS=np.stack(bandwidth))
