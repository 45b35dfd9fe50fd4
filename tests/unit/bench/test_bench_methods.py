"""Methods: the oracle's future is the true one, ablations change what they say, everyone decides feasible shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_zoo import TinyDynamics, frames, write_dynamics, write_field

from twm.core.actions import uniform_policy
from twm.core.features import exogenous_layout, history_matrix
from twm.core.network import NetworkSpec
from twm.inference.futures import sample_futures
from twm.planner.library import library_policies
from twm_bench.methods.catalogue import ABLATED, METHODS, Entry
from twm_bench.methods.fixed import Fixed
from twm_bench.methods.forecast import ForecastRule
from twm_bench.methods.members import OneMember
from twm_bench.methods.method import AbsentError, ModelFolders, Task
from twm_bench.methods.persistence import PersistentExogenous
from twm_bench.methods.truth import true_futures
from twm_bench.methods.twin_search import TwinSearch, plan_for
from twm_train.in_process import Decided, Observed, play
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import simulate
from twm_twin.seeds import seeds

SEEDS = seeds("validation", 2, 0x7900)


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory, spec: NetworkSpec) -> Path:
    folder = Path(tmp_path_factory.mktemp("zoo"))
    write_dynamics(folder, spec)
    write_field(folder, spec)
    return folder


def task(spec: NetworkSpec, zoo: Path, **more: Any) -> Task:
    given = {"variant": "history", "scenario": "wave-ood", "seeds": tuple(SEEDS), "folders": ModelFolders(zoo=zoo), **more}
    return Task(spec=spec, **given)


@pytest.mark.parametrize("scenario", ["hotspot-id", "wave-ood"])
def test_a_policy_in_the_true_future_does_what_it_does_when_played(spec: NetworkSpec, scenario: str) -> None:
    library, _ = library_policies(spec)
    policy = library.take([70])
    known = simulate(TwinLayout.of(spec), policy, true_futures(spec, SEEDS, [scenario] * 2), all_delays=True)
    seen = play(spec, Fixed(policy, "").decide, SEEDS, [scenario] * 2)
    np.testing.assert_allclose(seen.scm_B, known.scm[0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(seen.loss_BS, known.loss_ratio_S[0], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(seen.delay_BS, known.delay_p99_ms_S[0], rtol=1e-6)


@dataclass
class Peek:
    """Remembers what a method decided."""

    method: Any
    seen: list[tuple[Observed, Decided]]

    def decide(self, observed: Observed) -> Decided:
        decided = self.method.decide(observed)
        self.seen.append((observed, decided))
        return decided


CHEAP = {name: entry for name, entry in METHODS.items() if name not in ("oracle", "best-static", "dt-cem-3840", "ppo")}


@pytest.mark.parametrize(("name", "entry"), CHEAP.items(), ids=list(CHEAP))
def test_every_method_decides_feasible_shares_or_says_why_not(name: str, entry: Entry, spec: NetworkSpec, zoo: Path) -> None:
    one = (SEEDS[0],)
    absent = {"analytic": "not trained", "actor-only": "not trained", "llm-only": "--llm-url"}
    if name in absent:
        with pytest.raises(AbsentError, match=absent[name]):
            play(spec, entry.prepare(task(spec, zoo, seeds=one)).decide, one, ["wave-ood"])
        return
    peek = Peek(entry.prepare(task(spec, zoo, seeds=one, overrides=("library_count=16", "search.populations=[8]"))), [])
    play(spec, peek.decide, one, ["wave-ood"])
    assert len(peek.seen) == spec.timing.horizon_steps
    for _, decided in peek.seen:
        for shares in (decided.prb_share_BCS, decided.bandwidth_share_BLS):
            assert (np.asarray(shares) >= 0).all() and (np.asarray(shares).sum(-1) <= 1 + 1e-5).all()
    expected = {"dt-cem-12": 12, "dt-cem-96": 96, "twm": 12}
    assert sum(decided.twin_calls for _, decided in peek.seen) == expected.get(name, 0)


def test_what_has_no_model_of_its_own_is_absent(spec: NetworkSpec, zoo: Path, tmp_path: Path) -> None:
    with pytest.raises(AbsentError, match="--teacher-forced"):
        ABLATED["twm-teacher-forced"].prepare(task(spec, zoo))
    with pytest.raises(AbsentError, match="not trained"):
        METHODS["twm"].prepare(task(spec, tmp_path))


@pytest.mark.parametrize("calls", [12, 96, 3840])
def test_a_search_spends_its_calls(calls: int, spec: NetworkSpec, zoo: Path) -> None:
    search = TwinSearch(task(spec, zoo), calls)
    assert len(search.bursts) * search.plan.calls == calls


@pytest.mark.parametrize("calls", [4, 8, 31, 32, 100, 320, 4608])
def test_a_plan_never_exceeds_its_calls(calls: int) -> None:
    assert 0.9 * calls <= plan_for(calls).calls <= calls


def test_persistence_holds_what_was_seen_last(spec: NetworkSpec) -> None:
    tiny: Any = TinyDynamics(spec)
    history = history_matrix(frames(spec, 5), spec, tiny.sizes.window)
    layout = exogenous_layout(spec)
    held = sample_futures(
        PersistentExogenous(tiny, spec, spread=False), history, steps=12, samples=3, seed=1, check=lambda: None
    )
    assert (held.exogenous_HEJX == held.exogenous_HEJX[:1, :1, :1]).all()
    demand_CS, _, _ = layout.split(held.exogenous_HEJX[0, 0, 0])
    last = frames(spec, 5)[-1].cell_slice_feature("offered_mbps")
    known = np.isfinite(last)
    np.testing.assert_allclose(demand_CS[known], last[known], rtol=1e-6)
    spread = sample_futures(
        PersistentExogenous(tiny, spec, spread=True), history, steps=12, samples=200, seed=1, check=lambda: None
    )
    demand_HEJCS, _, capacity = layout.split(spread.exogenous_HEJX)
    sigma_H = np.log(demand_HEJCS / demand_CS).std((1, 2)).mean((1, 2))
    assert 0.02 < sigma_H[0] < sigma_H[-1] < 1.0
    assert (capacity == capacity[:1, :1, :1]).all()


def test_one_member_says_what_the_first_says(spec: NetworkSpec) -> None:
    tiny: Any = TinyDynamics(spec)
    one: Any = OneMember(tiny)
    history = history_matrix(frames(spec, 5), spec, tiny.sizes.window)
    latents, own = tiny.encode(history), one.encode(history)
    np.testing.assert_array_equal(own.controllable_deter_EG, latents.controllable_deter_EG[:1])
    answers = []
    for model, state in ((tiny, latents), (one, own)):
        rows = model.controllable_pass(4)
        rows.reset(state.controllable_deter_EG, state.controllable_stoch_EZ)
        rows.noise_ENZ[:], rows.exogenous_ENX[:], rows.action_NA[:] = 0.5, 70.0, 0.3
        mean, _ = rows.step()
        answers.append(mean.copy())
    assert answers[1].shape[0] == 1
    np.testing.assert_array_equal(answers[1], answers[0][:1])


def test_the_forecast_rule_provides_for_what_is_forecast(spec: NetworkSpec, tmp_path: Path) -> None:
    given = []
    for scale in (0.5, 1.0):
        zoo = tmp_path / str(scale)
        write_dynamics(zoo, spec, scale=scale)
        peek = Peek(ForecastRule(task(spec, zoo, seeds=(SEEDS[0],))), [])
        play(spec, peek.decide, SEEDS[:1], ["wave-ood"])
        given.append(np.asarray(peek.seen[0][1].prb_share_BCS).sum())
    assert given[0] < given[1] <= uniform_policy(spec).prb_share_KHCS[0, 0].sum() + 1e-3
