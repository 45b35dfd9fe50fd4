"""Numbers of the report from made-up units, against what a reader would compute by hand."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.network import NetworkSpec
from twm_bench.results import MEAN, UnitResult
from twm_bench.statistics import Played, difference, interval, method_result, resampled_means, score

SCENARIOS, SEEDS = ("hotspot-id", "wave-ood"), list(range(40))


def units(scm_YN: np.ndarray, *, loss: float = 0.01) -> list[UnitResult]:
    """Two units a scenario."""
    made = []
    for y, scenario in enumerate(SCENARIOS):
        for part in (slice(0, 15), slice(15, None)):
            seeds, scm = SEEDS[part], scm_YN[y, part]
            n = len(seeds)
            made.append(
                UnitResult(
                    key="k",
                    variant="history",
                    method="m",
                    scenario=scenario,
                    seeds=seeds,
                    scm=scm.tolist(),
                    saving=[0.1] * n,
                    violated=[[value == 0.0, False, False] for value in scm],
                    loss=[[loss] * 3] * n,
                    delay_ms=[[5.0, 5.0, None]] * n,
                    seconds=[[0.1, 0.3]] * n,
                    predicted_scm=[[0.5, None]] * n,
                    verified_scm=[[None, None]] * n,
                    twin_calls=[8, 4],
                    evaluations=[600, 400],
                    prepare_calls=384,
                    notes={"cem": n},
                )
            )
    return made


def played(scm_YN: np.ndarray) -> Played:
    found = Played.of(units(scm_YN), SCENARIOS, SEEDS)
    assert found is not None
    return found


@pytest.fixture
def scm_YN() -> np.ndarray:
    return np.clip(np.random.default_rng(1).normal(0.4, 0.2, (2, 40)), 0.0, 1.0)


def test_scores_are_means_over_the_horizons(spec: NetworkSpec, scm_YN: np.ndarray) -> None:
    uniform, oracle = played(scm_YN * 0.5), played(scm_YN * 1.5)
    result = method_result(spec, played(scm_YN), uniform, oracle)
    mean = result.scores[MEAN]
    assert mean.scm == pytest.approx(scm_YN.mean())
    assert mean.count == 80
    assert result.scores["wave-ood"].scm == pytest.approx(scm_YN[1].mean())
    assert mean.scm_worst_5_percent == pytest.approx(np.sort(scm_YN.reshape(-1))[:4].mean())
    assert mean.gap_recovered == pytest.approx(0.5)
    assert mean.regret == pytest.approx(0.5 * scm_YN.mean())
    assert mean.p_violation == pytest.approx((scm_YN == 0).mean())
    first, *others = spec.slices
    assert mean.p_violation_by_slice == {first.id: pytest.approx((scm_YN == 0).mean()), **{s.id: 0.0 for s in others}}
    assert mean.delay_p99_ms_by_slice[spec.slices[2].id] is None
    assert (result.calls_per_horizon, result.prepare_calls, result.evaluations_per_decision) == (12, 384, 500)
    assert (result.predicted_scm, result.verified_scm) == (0.5, None)
    assert result.notes == {"cem": 80}


def test_without_yardsticks_there_is_no_regret(spec: NetworkSpec, scm_YN: np.ndarray) -> None:
    found = score(spec, played(scm_YN), MEAN, None, None)
    assert found.regret is None and found.gap_recovered is None


def test_a_missing_horizon_makes_the_method_absent(scm_YN: np.ndarray) -> None:
    assert Played.of(units(scm_YN)[:-1], SCENARIOS, SEEDS) is None
    few = Played.of(units(scm_YN), SCENARIOS[:1], SEEDS[:10])
    assert few is not None
    np.testing.assert_array_equal(few.scm_YN, scm_YN[:1, :10])


def test_differences_are_paired(scm_YN: np.ndarray) -> None:
    found = difference(played(scm_YN), played(scm_YN - 0.05))
    for name in (*SCENARIOS, MEAN):
        assert (found[name].low, found[name].mean, found[name].high) == pytest.approx((0.05, 0.05, 0.05))
        assert found[name].better == 1.0
    wide = difference(played(scm_YN), played(scm_YN[:, ::-1]))[MEAN]
    assert wide.low < wide.mean < wide.high


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    generator, inside = np.random.default_rng(3), 0
    for _ in range(200):
        low, high = interval(generator.normal(0.3, 0.2, (1, 40)))
        inside += low <= 0.3 <= high
    assert 0.88 <= inside / 200 <= 0.99


def test_scenarios_of_a_seed_are_resampled_together() -> None:
    shared = np.random.default_rng(4).normal(0.0, 1.0, 40)
    together = resampled_means(np.stack([shared, shared])).std()
    assert together == pytest.approx(resampled_means(shared[None]).std())
    assert resampled_means(np.stack([shared, -shared])).std() == pytest.approx(0.0, abs=1e-12)
