"""The learned forecast as futures of the twin, and what answers it without a search.

The samples are those that `twm` plans on: same model, same history, same seed.

Shape suffixes: J scenarios, H slow steps, R rows (cells, then links), S slices.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.actions import uniform_policy
from twm.core.errors import ModelMismatchError
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.planner.answers import Scenarios
from twm.planner.situation import decision_seed
from twm_bench.methods.method import AbsentError, Task
from twm_train.in_process import Decided, LocalPeers, Observed
from twm_twin.oracle import needs, pack, template
from twm_twin.outcomes import Futures

SAMPLES = 8
"""Futures of a decision: what the planner takes for its finalists."""


class Forecaster:
    """Asks the world model what is to come."""

    def __init__(self, spec: NetworkSpec, peers: LocalPeers) -> None:
        self._spec, self._peers = spec, peers
        self._policy = uniform_policy(spec)

    def scenarios(self, history: Sequence[telemetry_pb2.KpiFrame]) -> Scenarios:
        """SAMPLES exogenous futures after the last frame."""
        answer = asyncio.run(
            self._peers.rollout(
                history,
                self._policy,
                seed=decision_seed(self._spec.area_id, history[-1].step),
                sample_count=SAMPLES,
                with_trajectories=True,
                deadline=float("inf"),
            )
        )
        if answer.scenarios is None:
            raise ModelMismatchError("world model: no exogenous scenarios")
        return answer.scenarios

    def futures(self, frame: FrameArrays, scenarios: Scenarios) -> Futures:
        """The scenarios in the twin, from where the frame ends."""
        return self._peers.verifier.futures(
            frame,
            scenarios.demand_mbps_JHCS,
            scenarios.spectral_efficiency_JHC,
            scenarios.link_capacity_mbps_JHL,
            decision_seed(self._spec.area_id, frame.step),
        )


def mean_of(scenarios: Scenarios) -> Scenarios:
    """One scenario: mean demand and efficiency, median link capacity."""
    return Scenarios(
        demand_mbps_JHCS=scenarios.demand_mbps_JHCS.mean(0, keepdims=True),
        spectral_efficiency_JHC=scenarios.spectral_efficiency_JHC.mean(0, keepdims=True),
        link_capacity_mbps_JHL=np.median(scenarios.link_capacity_mbps_JHL, 0)[None],
    )


def rule_factors(slices: int) -> NDArray[np.float64]:
    """Factors of twm_twin.oracle.template that answer a forecast well without a search; tuned on validation seeds."""
    return np.concatenate([np.full(slices, 0.2), np.full(slices, 0.2), [0.2, 0.22, 0.8]])


def world_model(task: Task) -> LocalPeers:
    """Peers with the shipped world model. Raises AbsentError where the zoo has none for the network."""
    try:
        return LocalPeers(task.spec, task.folders.zoo)
    except ModelMismatchError as error:
        raise AbsentError(f"not trained: {error}") from error


class ForecastRule:
    """fwm-only: need by the forecast of the next step, with fixed margins and headroom; no search, no model of actions."""

    prepare_calls = 0

    def __init__(self, task: Task) -> None:
        self._peers = world_model(task)
        self._forecaster = Forecaster(task.spec, self._peers)
        self._factors = rule_factors(len(task.spec.slices))

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        layout, prb, bandwidth = self._peers.verifier.layout, [], []
        for frames, messages in zip(observed.frames_B, observed.messages_B, strict=True):
            expected = self._forecaster.futures(frames[-1], mean_of(self._forecaster.scenarios(messages)))
            policy = pack(layout, template(layout, needs(layout, expected), self._factors)[None])
            prb.append(policy.prb_share_KHCS[0, 0])
            bandwidth.append(policy.bandwidth_share_KHLS[0, 0])
        return Decided(prb_share_BCS=np.stack(prb), bandwidth_share_BLS=np.stack(bandwidth))
