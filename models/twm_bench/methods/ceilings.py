"""What the planner would reach with a better model than anyone can learn: the reason for what is missing to the oracle.

The planner of `twm`, with the twin in place of its control model (in the learned forecast, or in what truly comes but for the
fast noise). No contenders: thousands of twin calls a decision, and one of them reads the future.

Shape suffixes: J futures, H slow steps, C cells, S slices, K candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays
from twm.core.frames import FrameCodec
from twm.core.scm import least_margin, shortfall, violated
from twm.planner.answers import Expected, Rollout, Scenarios
from twm.planner.contingency import Contingency, OutageSettings
from twm.planner.objective import Predictions
from twm_bench.methods.forecast import world_model
from twm_bench.methods.method import Task
from twm_bench.methods.planner import BUDGETED, Planner, with_overrides
from twm_train.in_process import Decided, LocalModels, LocalPeers, Observed
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import simulate

SEARCH_FUTURES = 4
_SEED_BITS = 31


class TwinPeers(LocalPeers):
    """Peers whose rollouts are played in the twin. Futures: those of the world model, or of `foreseen`."""

    def __init__(self, task: Task, foreseen: Sequence[Scenarios] | None = None) -> None:
        """`foreseen`: for each horizon of the task, the truth from the first step on (longer than a horizon)."""
        super().__init__(task.spec, LocalModels(task.spec, task.folders.zoo))
        self._twin_spec, self._frame_codec = task.spec, FrameCodec(task.spec)
        self._foreseen = foreseen
        self._scenarios: Scenarios | None = None
        self._models: tuple[tuple[str, str, str], ...] = ()
        self._horizon = 0

    def turn(self, index: int) -> None:
        """Which horizon is decided for from now on."""
        self._horizon = index

    async def expect(
        self, history: Sequence[telemetry_pb2.KpiFrame], *, seed: int, sample_count: int, deadline: float
    ) -> Expected:
        """See Peers."""
        found = await super().expect(history, seed=seed, sample_count=sample_count, deadline=deadline)
        if self._foreseen is not None:
            found = replace(found, scenarios=self._truth(history[-1].step + 1, found.scenarios))
        self._scenarios, self._models = found.scenarios, found.models
        return found

    def _truth(self, first: int, learned: Scenarios) -> Scenarios:
        assert self._foreseen is not None
        whole, j = self._foreseen[self._horizon], learned.count
        ahead = slice(first, first + learned.demand_mbps_JHCS.shape[1])
        return Scenarios(
            demand_mbps_JHCS=whole.demand_mbps_JHCS[:, ahead].repeat(j, 0),
            spectral_efficiency_JHC=learned.spectral_efficiency_JHC,
            link_capacity_mbps_JHL=whole.link_capacity_mbps_JHL[:, ahead].repeat(j, 0),
        )

    async def rollout(
        self,
        history: Sequence[telemetry_pb2.KpiFrame],
        policies: PolicyArrays,
        *,
        seed: int,
        sample_count: int,
        with_trajectories: bool,
        deadline: float,
        account: SlaAccount | None = None,
        contingencies: Sequence[Contingency] = (),
    ) -> Rollout:
        """See Peers; fans stay those of the world model, and what it says of doubt is none."""
        scenarios = self._scenarios
        assert scenarios is not None, "rollouts follow the forecast"
        fans: Rollout | None = None
        if with_trajectories:
            fans = await super().rollout(
                history,
                policies,
                seed=seed,
                sample_count=sample_count,
                with_trajectories=True,
                deadline=deadline,
                account=account,
            )
        count = min(scenarios.count, max(SEARCH_FUTURES, sample_count))
        some = scenarios.spread(count)
        futures = self.verifier.futures(
            self._frame_codec.decode(history[-1]),
            some.demand_mbps_JHCS,
            some.spectral_efficiency_JHC,
            some.link_capacity_mbps_JHL,
            seed % 2**_SEED_BITS,
        )
        steps = policies.step_count if account is None else min(account.remaining_steps, policies.step_count)
        futures = futures.first(steps)
        played = simulate(self.verifier.layout, policies.first(steps), futures)
        loss, delay = played.loss_ratio_S, played.delay_p99_ms_S
        if account is not None:
            loss, delay = account.pooled(loss, delay, futures.demand_mbps_JHTCS.mean(2).sum((1, 2)))
        topology = self.verifier.layout.topology
        least_KJ, broken_KJS = least_margin(loss, delay, topology), violated(loss, delay, topology)
        none = np.zeros(policies.count)
        predictions = Predictions(
            scm_mean_K=np.maximum(least_KJ, 0.0).mean(1),
            violation_KS=broken_KJS.mean(1).astype(np.float64),
            any_violation_K=broken_KJS.any(-1).mean(1),
            disagreement_K=none,
            ood_K=none,
            shortfall_K=shortfall(least_KJ).mean(1),
        )
        if fans is None:
            return Rollout(predictions=predictions, models=self._models, sample_count=count)
        return replace(fans, predictions=predictions, scenarios=scenarios)


class Ceiling:
    """The planner on such peers."""

    prepare_calls = 0

    def __init__(self, task: Task, *, foresight: bool) -> None:
        world_model(task)  # says what is missing
        self._peers = TwinPeers(task, [_truth_of(task, seed) for seed in task.seeds] if foresight else None)
        settings = replace(BUDGETED, outage=OutageSettings(begins=0.0))  # outages stand in the futures
        self._planner = Planner(task, self._peers, with_overrides(settings, task.overrides), turn=self._peers.turn)

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        return self._planner.decide(observed)


def _truth_of(task: Task, seed: int) -> Scenarios:
    layout, horizon = TwinLayout.of(task.spec), task.spec.timing.horizon_steps
    path = ExogenousPath(layout, seed, task.scenario, horizon)
    blocks = [path.next_block() for _ in range(3)]  # quiet, scored, and what the last decisions look into
    up_HL = np.concatenate([block.link_up_HL for block in blocks])
    demand_HCS = np.concatenate([block.demand_mbps_HTCS.mean(1) for block in blocks])
    return Scenarios(
        demand_mbps_JHCS=demand_HCS[None].astype(np.float32),
        spectral_efficiency_JHC=np.ones((1, *demand_HCS.shape[:2]), np.float32),
        link_capacity_mbps_JHL=(up_HL * layout.topology.link_capacity_mbps)[None].astype(np.float32),
    )
