"""dt-cem: a search of its own in the twin for every horizon, on the same learned forecast that twm has, with N twin calls.

Two stages, both warm: a cross-entropy search over the factors of the oracle's demand-aware template, whose mean and spread go
on from decision to decision, then (where calls are left) the planner's search over rows around the best of them and the plan
made before. A call is one policy in one scenario. Few calls are saved up for a few decisions; in between the best factors so
far answer the newest forecast.

Shape suffixes: K candidates, J scenarios, H slow steps, R rows (cells, then links), S slices, D factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.core.account import SlaAccount
from twm.core.actions import PolicyArrays, saving_ratio
from twm.planner.memory import LastPlan
from twm.planner.search import Search, SearchSettings
from twm.planner.situation import decision_seed
from twm.planner.space import ShareSpace
from twm_bench.methods.forecast import Forecaster, mean_of, rule_factors, world_model
from twm_bench.methods.method import Task
from twm_train.in_process import Decided, Observed
from twm_twin.oracle import needs, objective, pack, template
from twm_twin.outcomes import Futures, outcome_of, simulate

Doubles = NDArray[np.float64]
SAVING_MIN_RATIO = 0.08
LEAST_BURST = 4
"""Calls that a decision gets at least, if it gets any."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the calls of one decision are spent."""

    scenarios: int
    template_rounds: tuple[int, ...]
    """Candidates of each round."""
    row_rounds: tuple[int, ...]

    @property
    def calls(self) -> int:
        """Twin calls."""
        return self.scenarios * (sum(self.template_rounds) + sum(self.row_rounds))


def plan_for(calls: int) -> Plan:
    """How `calls` of one decision are best spent (chosen on validation seeds)."""
    if calls < 32:
        return Plan(scenarios=1, template_rounds=(calls,), row_rounds=())
    candidates = calls // 4
    first = candidates // 4
    rest = candidates - 2 * first
    return Plan(scenarios=4, template_rounds=(first, first), row_rounds=(rest - rest // 2, rest // 2))


@dataclass
class Memory:
    """What one horizon's search carries from decision to decision."""

    mean_D: Doubles
    std_D: Doubles
    last: LastPlan | None = None


class TwinSearch:
    """Searches with `calls_per_horizon` twin calls."""

    prepare_calls = 0

    def __init__(self, task: Task, calls_per_horizon: int) -> None:
        self._spec, horizon = task.spec, task.spec.timing.horizon_steps
        self._peers = world_model(task)
        self._forecaster = Forecaster(task.spec, self._peers)
        self._layout = self._peers.verifier.layout
        bursts = max(min(horizon, calls_per_horizon // LEAST_BURST), 1)
        self.bursts = {round(i * horizon / bursts) for i in range(bursts)}
        self.plan = plan_for(calls_per_horizon // bursts)
        self._memory: list[Memory] = []

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        if observed.step == 0:
            s = len(self._spec.slices)
            std = np.concatenate([np.full(s, 0.15), np.full(s, 0.15), np.full(2, 0.06), [0.25]])
            self._memory = [Memory(rule_factors(s), std.copy()) for _ in range(observed.count)]
        prb, bandwidth, found = [], [], []
        searching = observed.step in self.bursts
        for i in range(observed.count):
            policy, value = self._one(observed, i, searching)
            prb.append(policy.prb_share_KHCS[0, 0])
            bandwidth.append(policy.bandwidth_share_KHLS[0, 0])
            found.append(value)
        return Decided(
            prb_share_BCS=np.stack(prb),
            bandwidth_share_BLS=np.stack(bandwidth),
            twin_calls=self.plan.calls if searching else 0,
            verified_scm_B=found,
        )

    def _one(self, observed: Observed, index: int, searching: bool) -> tuple[PolicyArrays, float]:
        memory, frame = self._memory[index], observed.frames_B[index][-1]
        scenarios = self._forecaster.scenarios(observed.messages_B[index])
        expected = self._forecaster.futures(frame, mean_of(scenarios))
        need_HRS = needs(self._layout, expected)
        running = observed.running(index)
        account = SlaAccount.of(observed.frames_B[index], self._spec)
        random = np.random.default_rng([decision_seed(self._spec.area_id, frame.step), index])
        if not searching:
            return pack(self._layout, template(self._layout, need_HRS, memory.mean_D)[None]), float("nan")
        plan = self.plan
        count = plan.scenarios
        futures = expected if count == 1 else self._forecaster.futures(frame, scenarios.spread(count))
        space = ShareSpace(self._spec, running)
        best, rows, values = memory.mean_D, [], []
        for size in plan.template_rounds:
            draws = memory.mean_D + memory.std_D * random.standard_normal((size, len(memory.mean_D)))
            draws[0] = best
            policies = pack(self._layout, np.stack([template(self._layout, need_HRS, d) for d in draws]))
            score = self._score(policies, futures, running, account)
            elites = draws[np.argsort(-score)[: max(size // 5, 2)]]
            best = draws[int(np.argmax(score))]
            keep = 0.5
            memory.mean_D = keep * memory.mean_D + (1 - keep) * elites.mean(0)
            memory.std_D = keep * memory.std_D + (1 - keep) * np.maximum(elites.std(0), 0.03)
            rows.append(space.feasible(space.stack(policies)))
            values.append(score)
        seeds_KHRS, score_K = np.concatenate(rows), np.concatenate(values)
        if plan.row_rounds:
            seeds_KHRS, score_K = self._row_search(space, seeds_KHRS, score_K, futures, memory, frame.step, random, account)
        top = int(np.argmax(score_K))
        policy = space.policies(seeds_KHRS[top : top + 1])
        memory.last = LastPlan(frame.step, policy)
        if not plan.row_rounds:
            memory.mean_D = 0.5 * memory.mean_D + 0.5 * best
        return policy, float(score_K[top])

    def _row_search(
        self,
        space: ShareSpace,
        seeds_KHRS: NDArray[np.float32],
        score_K: Doubles,
        futures: Futures,
        memory: Memory,
        step: int,
        random: np.random.Generator,
        account: SlaAccount,
    ) -> tuple[NDArray[np.float32], Doubles]:
        """The planner's search around what the template found and the plan made before; its first round is scored already."""
        first, *others = self.plan.row_rounds
        elite_count = max(min(8, first // 2), 1)
        settings = SearchSettings(populations=tuple(others), elite_count=elite_count)
        previous = memory.last.shifted(step) if memory.last else None
        running = space.running
        head = [seeds_KHRS[np.argsort(-score_K)[:elite_count]]]
        if previous is not None:
            head.append(space.feasible(space.stack(previous)))
        known = np.concatenate(head)
        around = np.repeat(known, -(-first // len(known)), 0)[:first].copy()
        noise = random.standard_normal((len(around), 1, around.shape[2], around.shape[3])).astype(np.float32)
        around += np.float32(0.04) * noise
        if previous is not None:
            around[0] = known[-1]
        around = space.feasible(around)
        search = Search(space, np.concatenate([seeds_KHRS, around]), ["seed"] * (len(seeds_KHRS) + len(around)), settings, step)
        search.ask()
        search.tell(np.concatenate([score_K, self._score(space.policies(around), futures, running, account)]))
        while (rows := search.ask()) is not None:
            search.tell(self._score(space.policies(rows), futures, running, account))
        return search.rows_NHRS, search.score_N

    def _score(self, policies: PolicyArrays, futures: Futures, running: PolicyArrays, account: SlaAccount) -> Doubles:
        """By the whole SLA window, what it has cost so far included, as the planner of twm judges."""
        cut = futures.first(account.remaining_steps)
        played = simulate(self._layout, policies.first(cut.steps), cut)
        offered_JS = cut.demand_mbps_JHTCS.mean(2).sum((1, 2))
        outcome = outcome_of(self._spec, *account.pooled(played.loss_ratio_S, played.delay_p99_ms_S, offered_JS))
        saving = saving_ratio(policies, self._spec, running)
        return objective(self._layout, outcome, saving, SAVING_MIN_RATIO).mean(1)
