"""Scores of forecasts against values known in closed form."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm_bench.axes.flops import product_flops
from twm_bench.axes.scores import LEVELS, coverage, crps_quantiles, crps_samples, plain, reliability, skill, spearman, ssim


def test_crps_of_a_gaussian_is_the_closed_form() -> None:
    normal = NormalDist(2.0, 3.0)
    truth = np.array([0.5, 2.0, 9.0])
    z = (truth - 2.0) / 3.0
    cdf, pdf = np.vectorize(NormalDist().cdf)(z), np.vectorize(NormalDist().pdf)(z)
    exact = 3.0 * (z * (2 * cdf - 1) + 2 * pdf - 1 / math.sqrt(math.pi))
    quantiles = np.array([[normal.inv_cdf(level)] * 3 for level in LEVELS])
    assert crps_quantiles(quantiles, LEVELS, truth) == pytest.approx(exact, rel=0.03)
    samples = np.random.default_rng(0).normal(2.0, 3.0, (20_000, 1)).repeat(3, 1)
    assert crps_samples(samples, truth) == pytest.approx(exact, rel=0.03)


def test_the_fair_crps_does_not_punish_few_samples() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(size=20_000)
    few, many = (float(crps_samples(generator.normal(size=(n, 20_000)), truth).mean()) for n in (3, 60))
    assert few == pytest.approx(many, rel=0.02)


def test_crps_of_a_point_is_the_absolute_error_and_missing_truth_stays_missing() -> None:
    point = np.full((len(LEVELS), 2), 4.0)
    found = crps_quantiles(point, LEVELS, np.array([1.0, np.nan]))
    assert found[0] == pytest.approx(3.0)
    assert np.isnan(found[1])


def test_spearman_takes_ties_by_mean_rank_and_says_nothing_of_constants() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 8.0, 27.0, 64.0])) == pytest.approx(1.0)
    assert spearman(np.array([0.0, 0.0, 1.0, 2.0]), np.array([2.0, 2.0, 1.0, 0.0])) == pytest.approx(-1.0)
    assert math.isnan(spearman(np.zeros(5), np.arange(5.0)))
    assert math.isnan(spearman(np.array([1.0, np.nan, 2.0]), np.array([1.0, 2.0, 3.0])))


def test_reliability_of_calibrated_and_of_overconfident_probabilities() -> None:
    generator = np.random.default_rng(2)
    p = generator.random(50_000)
    happened = generator.random(50_000) < p
    assert reliability(p, happened)["ece"] < 0.02
    bad = reliability(np.where(p > 0.5, 1.0, 0.0), happened)
    assert bad["ece"] == pytest.approx(0.25, abs=0.02)
    assert bad["bin_count"] == [int((p <= 0.5).sum()), int((p > 0.5).sum())]


def test_ssim_of_the_same_map_of_a_noisy_and_of_an_unlike_one() -> None:
    generator = np.random.default_rng(3)
    smooth = 3.0 + np.add.outer(np.sin(np.arange(24) / 4), np.cos(np.arange(24) / 5))[None]
    noise = generator.normal(size=smooth.shape)
    same, near, far = (float(ssim(smooth, other, 4.0)[0]) for other in (smooth, smooth + 0.1 * noise, 6.0 - smooth))
    assert same == pytest.approx(1.0)
    assert 1.0 > near > 0.5
    assert far < 0.2


def test_coverage_counts_bounds_in_and_missing_values_out() -> None:
    truth = np.array([1.0, 2.0, np.nan, 9.0])
    assert coverage(np.ones(4), np.full(4, 2.0), truth) == pytest.approx(2 / 3)
    assert np.isnan(coverage(np.ones(1), np.ones(1), np.array([np.nan])))


def test_plain_holds_what_json_can_and_skill_needs_a_base() -> None:
    assert plain({"a": np.array([1.0, np.nan, np.inf]), 2: (np.int64(3), np.bool_(True))}) == {
        "a": [1.0, None, None],
        "2": [3, True],
    }
    assert skill(0.5, 1.0) == 0.5
    assert skill(0.5, 0.0) is None


def test_flops_of_products_are_counted_as_they_run() -> None:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    weight = numpy_helper.from_array(np.zeros((2, 5, 7), np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"]),
            helper.make_node("Relu", ["y"], ["z"]),
            helper.make_node("Einsum", ["z", "w"], ["out"], equation="enk,eik->eni"),
        ],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, "N", 5])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [2, "N", 5])],
        [weight],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    assert product_flops(content, {"x": np.zeros((2, 3, 5), np.float32)}) == 2 * (2 * 3 * 5 * 7) * 2
    assert product_flops(content, {"x": np.zeros((2, 30, 5), np.float32)}) == 20 * (2 * 3 * 5 * 7) * 2


def test_purposes_that_nothing_is_measured_on_are_refused() -> None:
    from twm.core.network import load_network
    from twm.core.paths import find_network
    from twm_bench.axes.episodes import record
    from twm_train.starts import starts_of

    spec = load_network(find_network("poc-city"))
    with pytest.raises(InvalidInputError, match="neither evaluation nor validation"):
        record(spec, "training", [0xA0000])
    with pytest.raises(InvalidInputError, match=r"outside 0\.\.31"):
        record(spec, "evaluation", [0xB0000])
    with pytest.raises(InvalidInputError, match="range for validation"):
        starts_of(spec, "validation", [3])
