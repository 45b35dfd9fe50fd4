"""Policies fixed before the horizon begins and played as they are: best-static, the paper's dt-fair, and the oracle's."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from twm.core.actions import PolicyArrays, saving_ratio, uniform_policy
from twm.core.network import NetworkSpec
from twm.planner.library import library_policies
from twm_bench.methods.method import Task, choosing_seeds
from twm_bench.methods.truth import true_futures
from twm_train.in_process import Decided, Observed
from twm_twin.layout import TwinLayout
from twm_twin.oracle import OracleOptions, search
from twm_twin.outcomes import Outcome, outcome_of, simulate
from twm_twin.scenarios import SCENARIOS

STATIC_SEEDS, FAIR_SEEDS, FAIR_POLICIES = 16, 16, 24


class Fixed:
    """Plays one policy for each horizon, or one for all."""

    def __init__(self, policies: PolicyArrays, note: str, *, prepare_calls: int = 0, calls: int = 0) -> None:
        """`calls`: twin calls spent on each horizon, counted at its first decision."""
        self._policies, self._note, self._calls = policies, note, calls
        self.prepare_calls = prepare_calls

    def decide(self, observed: Observed) -> Decided:
        """See Method."""
        prb, bandwidth = (
            np.broadcast_to(array[:, observed.step], (observed.count, *array.shape[2:]))
            for array in (self._policies.prb_share_KHCS, self._policies.bandwidth_share_KHLS)
        )
        return Decided(
            prb_share_BCS=prb,
            bandwidth_share_BLS=bandwidth,
            twin_calls=self._calls if observed.step == 0 else 0,
            notes_B=[self._note] * observed.count,
        )


def best_static(task: Task) -> Fixed:
    """The library policy with the best mean SCM over validation seeds of all scenarios."""
    best = _best_of_library(task.spec.model_dump_json())
    library, names = library_policies(task.spec)
    return Fixed(library.take([best]), names[best], prepare_calls=library.count * STATIC_SEEDS * len(SCENARIOS))


@lru_cache(maxsize=4)
def _best_of_library(spec_json: str) -> int:
    spec = NetworkSpec.model_validate_json(spec_json)
    chosen = choosing_seeds(STATIC_SEEDS)
    futures = true_futures(spec, np.repeat(chosen, len(SCENARIOS)).tolist(), list(SCENARIOS) * len(chosen))
    library, _ = library_policies(spec)
    return int(simulate(TwinLayout.of(spec), library, futures).scm.mean(1).argmax())


def fair_cost(task: Task) -> Fixed:
    """dt-fair as in the paper: of 24 library policies on 16 seeds of the scenario, the cheapest whose means hold every SLA.

    Where none does, the one with the largest SCM.
    """
    library, names, outcome = _fair(task)
    mean = outcome_of(task.spec, outcome.loss_ratio_S.mean(1), outcome.delay_p99_ms_S.mean(1))
    cost = 1.0 - saving_ratio(library, task.spec, uniform_policy(task.spec, 1))
    feasible = ~mean.violated_S.any(-1)
    pick = int(np.argmin(np.where(feasible, cost, np.inf))) if feasible.any() else int(outcome.scm.mean(1).argmax())
    return Fixed(library.take([pick]), names[pick], prepare_calls=FAIR_POLICIES * FAIR_SEEDS)


def fair_scm(task: Task) -> Fixed:
    """dt-fair with the largest mean SCM in place of the least cost."""
    library, names, outcome = _fair(task)
    pick = int(outcome.scm.mean(1).argmax())
    return Fixed(library.take([pick]), names[pick], prepare_calls=FAIR_POLICIES * FAIR_SEEDS)


def _fair(task: Task) -> tuple[PolicyArrays, list[str], Outcome]:
    library, names = library_policies(task.spec)
    picks = np.linspace(0, library.count - 1, FAIR_POLICIES).round().astype(np.intp)
    chosen = choosing_seeds(FAIR_SEEDS)
    futures = true_futures(task.spec, chosen, [task.scenario] * len(chosen))
    some = library.take(picks)
    return some, [names[i] for i in picks], simulate(TwinLayout.of(task.spec), some, futures)


def oracle(task: Task) -> Fixed:
    """Clairvoyant search on the true future of every horizon, saving at least 8 %: the yardstick."""
    options, layout = OracleOptions(), TwinLayout.of(task.spec)
    futures = true_futures(task.spec, task.seeds, [task.scenario] * len(task.seeds))
    running = uniform_policy(task.spec, 1)
    found = [
        search(layout, futures.take(i), options, np.random.default_rng([7, seed]), running=running).policy
        for i, seed in enumerate(task.seeds)
    ]
    return Fixed(PolicyArrays.concatenate(found), "oracle", calls=options.calls)
