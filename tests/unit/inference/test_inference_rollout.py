"""Rollouts against a straightforward loop over the shared definitions, on graphs whose arithmetic is known."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tiny_zoo import MEMBERS, TinyDynamics, TinyPass

from twm.core.actions import project_shares
from twm.core.errors import DeadlineError, ModelMismatchError
from twm.core.features import exogenous_layout
from twm.core.kpis import horizon_scm, horizon_violated, kpi_draw, kpi_quantiles
from twm.core.network import NetworkSpec
from twm.inference.dynamics import Float
from twm.inference.futures import FutureCache, Futures, encoding_key, futures_key, sample_futures
from twm.inference.rollout import Decision, Rollouts, kpi_noise

STEPS, SAMPLES = 4, 3
LEVELS = (0.05, 0.5, 0.95)


def go_on() -> None:
    """A check that lets the work go on."""


def actions(model: TinyDynamics, count: int, seed: int = 0) -> Float:
    rows, s = model.sizes.action // model.sizes.slices, model.sizes.slices
    raw = np.random.default_rng(seed).uniform(0, 1, (count, STEPS, rows, s))
    return project_shares(raw, np.zeros(s)).reshape(count, STEPS, -1)


def decide(model: TinyDynamics, samples: int = SAMPLES, seed: int = 7, steps: int = STEPS) -> Decision:
    history = np.full((model.sizes.window, model.sizes.history_width), 0.25, np.float32)
    futures = sample_futures(model, history, steps=steps, samples=samples, seed=seed, check=go_on)
    offered = exogenous_layout(model.spec).split(futures.exogenous_HEJX)[0].sum(-2)
    noise = kpi_noise(steps, model.members, samples, model.sizes.slices, seed=seed)
    return Decision(futures=futures, offered_HEJS=offered, kpi_noise_HR2SEJ=noise, topology=model.spec.topology())


@pytest.fixture(scope="module")
def tiny(spec: NetworkSpec) -> TinyDynamics:
    return TinyDynamics(spec)


def test_scores_equal_the_shared_definitions(tiny: TinyDynamics) -> None:
    decision, action = decide(tiny), actions(tiny, 5)
    found = Rollouts(tiny, max_rows=7).score(decision, action, quantile_levels=LEVELS, check=go_on)
    topology = tiny.spec.topology()
    f = decision.futures
    for k in range(5):
        scm, broken, means, stds = [], [], [], []
        for e in range(MEMBERS):
            for j in range(SAMPLES):
                deter = f.latents.controllable_deter_EG[e : e + 1, None]
                path_mean, path_std = [], []
                for h in range(STEPS):
                    one = TinyDynamics(tiny.spec)
                    deter, mean, std = one.controllable(
                        deter, f.noise_HEJZ[h, e, j][None, None], action[k, h][None], f.exogenous_HEJX[h, e, j][None, None]
                    )
                    path_mean.append(mean[0, 0])
                    path_std.append(std[0, 0])
                mean_HSP, std_HSP = np.stack(path_mean), np.stack(path_std)
                means.append(mean_HSP)
                stds.append(std_HSP)
                for sign in (1, -1):
                    noise = np.zeros_like(mean_HSP)
                    noise[..., :2] = sign * decision.kpi_noise_HR2SEJ[:, 0, :, :, e, j].swapaxes(1, 2)
                    drawn = kpi_draw(mean_HSP, std_HSP, noise)
                    scm.append(horizon_scm(drawn, decision.offered_HEJS[:, e, j], topology))
                    broken.append(horizon_violated(drawn, decision.offered_HEJS[:, e, j], topology))
        assert found.scm_K[k] == pytest.approx(np.mean(scm), abs=2e-5)
        assert found.disagreement_K[k] == pytest.approx(np.reshape(scm, (MEMBERS, -1)).mean(1).std(), abs=2e-5)
        assert found.violation_KS[k] == pytest.approx(np.mean(broken, 0), abs=1e-6)
        assert found.any_violation_K[k] == pytest.approx(np.any(broken, -1).mean(), abs=1e-6)
        assert found.kpi_quantiles_KHQSP is not None
        expected = kpi_quantiles(np.stack(means), np.stack(stds), LEVELS)
        np.testing.assert_allclose(found.kpi_quantiles_KHQSP[k], expected.swapaxes(0, 1), rtol=2e-4, atol=2e-5)
    assert 0 < found.scm_K.min() < found.scm_K.max() < 1
    assert found.disagreement_K.min() > 0


@pytest.mark.parametrize(("max_rows", "workers"), [(1, 1), (4, 1), (10_000, 1), (9, 3), (10_000, 2)])
def test_chunks_and_threads_change_nothing(tiny: TinyDynamics, max_rows: int, workers: int) -> None:
    decision, action = decide(tiny), actions(tiny, 11)
    whole = Rollouts(tiny, max_rows=10_000).score(decision, action, quantile_levels=LEVELS, check=go_on)
    with ThreadPoolExecutor(workers) as pool:
        rollouts = Rollouts(tiny, max_rows=max_rows, workers=pool, worker_count=workers)
        parts = rollouts.score(decision, action, quantile_levels=LEVELS, check=go_on)
    for name in ("scm_K", "violation_KS", "any_violation_K", "disagreement_K", "kpi_quantiles_KHQSP"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-5, atol=1e-6)


def test_chunks_cover_every_candidate_once(tiny: TinyDynamics) -> None:
    for candidates in (1, 2, 149, 150, 4096):
        for samples in (1, 4, 256):
            pieces = Rollouts(tiny, max_rows=1200, worker_count=2).chunks(candidates, samples)
            assert [i for p in pieces for i in range(p.start, p.stop)] == list(range(candidates))
            assert max(p.stop - p.start for p in pieces) <= max(1, 1200 // samples)


def test_same_seed_same_futures_other_seed_others(tiny: TinyDynamics) -> None:
    a, b, c = decide(tiny, seed=3), decide(tiny, seed=3), decide(tiny, seed=4)
    assert a.futures.exogenous_HEJX.tobytes() == b.futures.exogenous_HEJX.tobytes()
    assert a.kpi_noise_HR2SEJ.tobytes() == b.kpi_noise_HR2SEJ.tobytes()
    assert not np.allclose(a.futures.exogenous_HEJX, c.futures.exogenous_HEJX)
    assert not np.allclose(a.kpi_noise_HR2SEJ, c.kpi_noise_HR2SEJ)


def test_largest_seed_and_odd_sample_counts(tiny: TinyDynamics) -> None:
    for samples in (1, 2, 5):
        futures = decide(tiny, samples=samples, seed=2**64 - 1).futures
        assert futures.exogenous_HEJX.shape == (STEPS, MEMBERS, samples, tiny.sizes.exogenous)


def test_antithetic_noise_has_no_mean(tiny: TinyDynamics) -> None:
    futures = decide(tiny, samples=4).futures
    np.testing.assert_allclose(futures.noise_HEJZ.sum(2), 0, atol=1e-6)
    assert futures.noise_HEJZ.std() == pytest.approx(1.0, abs=0.2)


def test_a_candidate_does_not_depend_on_its_rivals(tiny: TinyDynamics) -> None:
    decision, action = decide(tiny), actions(tiny, 6)
    rollouts = Rollouts(tiny, max_rows=10_000)
    together = rollouts.score(decision, action, check=go_on)
    alone = rollouts.score(decision, action[4:5], check=go_on)
    assert alone.scm_K[0] == pytest.approx(together.scm_K[4], abs=1e-6)
    assert alone.kpi_quantiles_KHQSP is None


def test_no_demand_is_no_division_by_zero(spec: NetworkSpec) -> None:
    idle = TinyDynamics(spec, scale=0.0)
    decision = decide(idle)
    decision.offered_HEJS[:] = 0
    scores = Rollouts(idle, max_rows=100).score(decision, actions(idle, 2), check=go_on)
    assert np.isfinite(scores.scm_K).all()


def test_check_stops_between_steps(tiny: TinyDynamics) -> None:
    seen = 0

    def check() -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise DeadlineError("call: not done within 0.001 s")

    with pytest.raises(DeadlineError):
        Rollouts(tiny, max_rows=10_000).score(decide(tiny), actions(tiny, 4), check=check)
    assert seen == 3


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(spec: NetworkSpec, value: float) -> None:
    class Broken(TinyDynamics):
        def controllable(self, deter: Float, noise: Float, action: Float, exogenous: Float) -> tuple[Float, Float, Float]:
            after, mean, std = super().controllable(deter, noise, action, exogenous)
            mean[0, 0, 0, 1] = value
            return after, mean, std

    broken = Broken(spec)
    with pytest.raises(ModelMismatchError, match="not finite"):
        Rollouts(broken, max_rows=100).score(decide(broken), actions(broken, 2), check=go_on)
    sick = TinyDynamics(spec)
    sick.base_EX[1, 2] = value
    with pytest.raises(ModelMismatchError, match="exogenous_step: not finite at step 0"):
        decide(sick)


def test_passes_are_reused_and_bounded(spec: NetworkSpec) -> None:
    made: list[int] = []

    class Counting(TinyDynamics):
        def controllable_pass(self, row_count: int) -> TinyPass:
            made.append(row_count)
            return super().controllable_pass(row_count)

    model = Counting(spec)
    decision, rollouts = decide(model), Rollouts(model, max_rows=10_000)
    for _ in range(5):
        rollouts.score(decision, actions(model, 4), check=go_on)
    assert made == [4 * SAMPLES]


def _futures(decision: Decision) -> Futures:
    return decision.futures


def test_cache_keeps_the_newest_and_computes_once(tiny: TinyDynamics) -> None:
    cache, computed = FutureCache(2), []

    def compute(name: str) -> Futures:
        computed.append(name)
        return _futures(decide(tiny))

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name.encode(), lambda name=name: compute(name))
    assert computed == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_cache_serves_waiting_threads_and_forgets_errors(tiny: TinyDynamics) -> None:
    cache, gate, computed = FutureCache(2), threading.Event(), []

    def slow() -> Futures:
        gate.wait(5)
        computed.append(1)
        return _futures(decide(tiny))

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(cache.get, b"k", slow) for _ in range(4)]
        gate.set()
        answers = [future.result(5) for future in asked]
    assert len(computed) == 1
    assert all(answer is answers[0] for answer in answers)

    def fail() -> Futures:
        raise DeadlineError("call: cancelled by the client")

    with pytest.raises(DeadlineError):
        cache.get(b"other", fail)
    assert cache.get(b"other", lambda: answers[0]) is answers[0]


def test_key_tells_decisions_apart() -> None:
    history = np.zeros((3, 4), np.float32)
    other = history.copy()
    other[2, 1] = 1e-6
    keys = {
        futures_key(encoding_key("m", history), 12, 4, 0),
        futures_key(encoding_key("n", history), 12, 4, 0),
        futures_key(encoding_key("m", other), 12, 4, 0),
        futures_key(encoding_key("m", history), 11, 4, 0),
        futures_key(encoding_key("m", history), 12, 5, 0),
        futures_key(encoding_key("m", history), 12, 4, 1),
        futures_key(encoding_key("m", history.reshape(4, 3)), 12, 4, 0),
    }
    assert len(keys) == 7
