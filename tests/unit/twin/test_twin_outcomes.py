"""Horizons: the batch kernel agrees with the step-wise twin; the quantile with its definition; actions act as they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twm.core.actions import PolicyArrays, uniform_policy
from twm.core.errors import NetworkSpecError
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.scm import weighted_quantile as by_definition
from twm.planner.library import library_policies
from twm_twin.kernel import weighted_quantile
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, horizon_outcome, simulate
from twm_twin.parameters import TwinParameters
from twm_twin.simulator import Twin

COAST = Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.sampled_from([0.0, 1.0, 4.0, 4.5, 5000.0]) | st.floats(0, 100), min_size=1, max_size=200),
    level=st.sampled_from([0.5, 0.9, 0.99]),
    draw=st.integers(0, 1000),
)
def test_the_quantile_is_the_one_defined(values: list[float], level: float, draw: int) -> None:
    v = np.array(values)
    w = np.random.default_rng(draw).integers(0, 5, len(v)).astype(float)
    found, expected = weighted_quantile(v, w, level), by_definition(v, w, level)
    np.testing.assert_equal(found, expected)


@pytest.mark.parametrize("network", ["poc-city", "coast"])
def test_horizons_agree_with_the_step_wise_twin(network: str, spec: NetworkSpec) -> None:
    spec = spec if network == "poc-city" else load_network(COAST)
    chosen, scenarios = [10001, 10002, 10003], ["wave-ood", "hotspot-id", "hotspot-ood"]
    library, _ = library_policies(spec)
    policy = library.take([77])
    outcome = simulate(TwinLayout.of(spec), policy, Futures.drawn(TwinLayout.of(spec), chosen, scenarios), all_delays=True)
    twin = Twin(spec, 3)
    twin.reset(chosen, scenarios)
    results = []
    for h in range(spec.timing.horizon_steps):
        prb, bandwidth = policy.prb_share_KHCS[0, h], policy.bandwidth_share_KHLS[0, h]
        results.append(twin.step(np.stack([prb] * 3), np.stack([bandwidth] * 3)))
    stepped = horizon_outcome(spec, results)
    np.testing.assert_allclose(outcome.loss_ratio_S[0], stepped.loss_ratio_S, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(outcome.delay_p99_ms_S[0], stepped.delay_p99_ms_S, rtol=1e-9)
    np.testing.assert_allclose(outcome.scm[0], stepped.scm, rtol=1e-9, atol=1e-12)
    assert (outcome.violated_S[0] == stepped.violated_S).all()


def test_more_share_never_hurts_a_slice_and_less_total_spares_the_neighbours(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    future = Futures.drawn(layout, [10005], ["hotspot-id"])
    base = uniform_policy(spec)
    richer = PolicyArrays(prb_share_KHCS=base.prb_share_KHCS.copy(), bandwidth_share_KHLS=base.bandwidth_share_KHLS.copy())
    richer.prb_share_KHCS[..., 1] += 0.1
    richer.prb_share_KHCS[..., 0] -= 0.1
    a, b = (simulate(layout, p, future).loss_ratio_S[0, 0] for p in (base, richer))
    assert b[1] <= a[1]
    assert b[0] > a[0]
    c, s, n_links = spec.sizes
    rates = []
    for total in (1.0, 0.5):
        twin = Twin(spec, 1)
        twin.reset([10005], ["hotspot-id"])
        rates.append(twin.step(np.full((1, c, s), total / s), np.full((1, n_links, s), 1 / s)).cell_rate_mbps_BTC)
    assert (rates[1] > rates[0]).all()


def test_frames_hold_what_the_features_mean(spec: NetworkSpec) -> None:
    c, s, n_links = spec.sizes
    twin = Twin(spec, 2)
    twin.reset([10006, 10007], ["wave-ood", "hotspot-ood"])
    for _ in range(6):
        r = twin.step(np.full((2, c, s), 0.3), np.full((2, n_links, s), 1 / s))
    batch = twin.frames(r)
    frame = batch.frame(1)
    assert frame.step == 5
    assert frame.start_s == 5 * 60
    seconds = spec.timing.slow_step_s
    np.testing.assert_allclose(frame.cell_slice_feature("offered_mbps"), r.offered_mbit_BTCS[1].sum(0) / seconds, rtol=1e-6)
    np.testing.assert_allclose(frame.fast_feature("offered_mbps").mean(-1), frame.cell_slice_feature("offered_mbps"), rtol=1e-5)
    np.testing.assert_allclose(frame.cell_slice_feature("queue_mbit"), r.queue_mbit_BTCS[1, -1], rtol=1e-6)
    p99 = by_definition(r.delay_ms_BTCS[1, :, 2, 1], r.offered_mbit_BTCS[1, :, 2, 1], 0.99)
    assert frame.cell_slice_feature("e2e_delay_p99_ms")[2, 1] == pytest.approx(p99, rel=1e-6)
    used_mhz = frame.cell_feature("prb_used_ratio") * spec.prb_grid.prb_count * spec.prb_grid.prb_bandwidth_mhz
    served = frame.cell_slice_feature("served_mbps").sum(-1)
    np.testing.assert_allclose(frame.cell_feature("spectral_efficiency_bps_hz") * used_mhz, served, rtol=1e-4)
    assert (frame.cell_slice_feature("e2e_loss_ratio") >= frame.cell_slice_feature("radio_loss_ratio") - 1e-7).all()
    assert (frame.cell_slice_feature("e2e_loss_ratio") <= 1).all()
    assert np.array_equal(r.users_BTCS, np.rint(r.users_BTCS))
    message = FrameCodec(spec).encode(frame)
    again = FrameCodec(spec).decode(message)
    for name, block in frame.blocks().items():
        np.testing.assert_array_equal(again.blocks()[name], block)


def test_nothing_offered_or_used_is_missing_not_zero(spec: NetworkSpec) -> None:
    silent = spec.model_copy(update={"twin": {"slices": {s.id: {"base": 0.0} for s in spec.slices}}})
    c, s, n_links = silent.sizes
    twin = Twin(silent, 1)
    twin.reset([1], ["wave-id"])
    frame = twin.frames(twin.step(np.full((1, c, s), 0.3), np.full((1, n_links, s), 0.3))).frame(0)
    assert np.isnan(frame.cell[:, CELL_FEATURES.index("spectral_efficiency_bps_hz")]).all()
    for name in ("radio_loss_ratio", "radio_delay_ms", "e2e_loss_ratio", "e2e_delay_p99_ms"):
        assert np.isnan(frame.cell_slice[..., CELL_SLICE_FEATURES.index(name)]).all(), name
    assert (frame.cell_slice_feature("active_ues") == 0).all()


def test_an_empty_twin_section_works_and_a_wrong_one_is_refused(spec: NetworkSpec) -> None:
    bare = spec.model_copy(update={"twin": {}})
    outcome = simulate(TwinLayout.of(bare), uniform_policy(bare), Futures.drawn(TwinLayout.of(bare), [1], ["wave-id"]))
    assert np.isfinite(outcome.scm).all()
    for twin, message in (
        ({"slices": {"gaming": {}}}, "twin.slices.gaming: not a slice"),
        ({"slices": {"embb": {"zones": {"moon": 1.0}}}}, "twin.slices.embb.zones.moon: not a zone"),
        ({"slices": {"embb": {"base": -0.1}}}, "twin.slices.embb.base: .*greater than or equal to 0"),
        ({"wave": {"amplitude": {"low": 2, "high": 1}}}, "low 2.0 is above high 1.0"),
        ({"speed": 1}, "twin.speed"),
        ({"link_repair_steps": [3, 1]}, "twin.link_repair_steps"),
        ({"hotspot": {"zone": "moon"}}, "twin.hotspot.zone: 'moon'"),
    ):
        with pytest.raises(NetworkSpecError, match=message):
            TwinParameters.of(spec.model_copy(update={"twin": twin}))
