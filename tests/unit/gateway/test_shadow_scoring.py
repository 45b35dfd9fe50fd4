"""Shadow scores by hand-made arithmetic, missing values included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gateway_samples import fallback_proposal, frame, good_proposal

from twm.api.policy.v1 import policy_pb2
from twm.core.frames import CELL_SLICE_FEATURES, FAST_FEATURES, FrameArrays
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.validation import validate
from twm.gateway.rest_views import score_summary
from twm.gateway.scoring import forecast_of, score

STEP = 100
LOSS = CELL_SLICE_FEATURES.index("e2e_loss_ratio")
OFFERED = CELL_SLICE_FEATURES.index("offered_mbps")
DELAY = FAST_FEATURES.index("e2e_delay_ms")


def horizon(spec: NetworkSpec, **measured: float) -> dict[int, FrameArrays]:
    return {s: frame(spec, s, **measured) for s in range(STEP + 1, STEP + 1 + spec.timing.horizon_steps)}


def test_what_was_predicted_and_observed(spec: NetworkSpec) -> None:
    found = score(forecast_of(good_proposal(spec, STEP), spec), horizon(spec), spec, decision=policy_pb2.DECISION_ACCEPTED)
    assert found is not None
    validate(found)
    assert (found.policy_set_id, found.step, found.observed_step_count) == ("poc-city/100", STEP, 12)
    # loss .10 of bounds .25/.10/.20 -> margins .6/0/.5; delay 15 of 20 ms -> .25; the least is URLLC's loss
    assert found.observed_scm == pytest.approx(0.0, abs=1e-6)
    assert found.running_predicted_scm == pytest.approx(0.2)
    assert found.recommended_predicted_scm == pytest.approx(0.4)
    # inside: loss .10, delay 15 ms, use .5, but not served 10 cells x 9 Mbps = 90 (at the bound: inside)
    assert found.coverage_ratio == pytest.approx(1.0)
    assert dict(found.mean_absolute_error) == pytest.approx(
        {"loss_ratio": 0.0, "delay_p99_ms": 0.0, "utilisation_ratio": 0.0, "served_mbps": 10.0}, abs=1e-5
    )
    # recommended .4/.3/.2 against 1/3 each
    assert found.action_distance == pytest.approx((abs(0.4 - 1 / 3) + abs(0.3 - 1 / 3) + abs(0.2 - 1 / 3)) / 3, abs=1e-6)


def test_loss_is_pooled_by_offered_load_and_delay_over_fast_steps(spec: NetworkSpec) -> None:
    frames = horizon(spec, loss=0.0, delay_ms=5.0)
    # One cell of ten offers 11 times the load in one step of twelve and loses all of it: 110 of 1300 Mbps-steps.
    frames[STEP + 3].cell_slice[0, 1, OFFERED] = 110.0
    frames[STEP + 3].cell_slice[0, 1, LOSS] = 0.5
    found = score(forecast_of(good_proposal(spec, STEP), spec), frames, spec)
    assert found is not None
    loss = 0.5 * 110 / (119 * 10 + 110)
    assert found.observed_scm == pytest.approx(1 - loss / 0.10, abs=1e-5)
    # 1800 fast values of URLLC; 1 % = 18: with 18 slow ones the 99th percentile is still 5 ms, with 19 it is 18 ms
    for count, margin in ((18, 0.75), (19, 0.10)):
        frames = horizon(spec, loss=0.0, delay_ms=5.0)
        frames[STEP + 1].fast[0, 1, :15, DELAY] = 18.0
        frames[STEP + 2].fast[0, 1, : count - 15, DELAY] = 18.0
        found = score(forecast_of(good_proposal(spec, STEP), spec), frames, spec)
        assert found is not None
        assert found.observed_scm == pytest.approx(margin, abs=1e-5)


def test_coverage_and_error_count_only_what_is_known(spec: NetworkSpec) -> None:
    frames = horizon(spec, loss=0.2)  # loss is above the fan's .15; served 80 is below its 90
    for step in range(STEP + 1, STEP + 7):
        frames[step].fast[...] = np.nan  # no delay in half of the steps
    found = score(forecast_of(good_proposal(spec, STEP), spec), frames, spec)
    assert found is not None
    # known values a slice: loss 12, delay 6, use 12, served 12; inside: delay and use
    assert found.coverage_ratio == pytest.approx((6 + 12) / 42)
    assert found.mean_absolute_error["loss_ratio"] == pytest.approx(0.1, abs=1e-6)
    assert found.mean_absolute_error["served_mbps"] == pytest.approx(20.0, abs=1e-4)
    assert found.HasField("observed_scm")
    frames[STEP + 7].fast[...] = np.nan  # now in less than half
    found = score(forecast_of(good_proposal(spec, STEP), spec), frames, spec)
    assert found is not None
    assert not found.HasField("observed_scm")


def test_a_missing_bounded_kpi_makes_no_scm(spec: NetworkSpec) -> None:
    frames = horizon(spec)
    for entry in frames.values():
        entry.cell_slice[..., LOSS] = np.nan
    found = score(forecast_of(good_proposal(spec, STEP), spec), frames, spec)
    assert found is not None
    assert not found.HasField("observed_scm")
    assert "loss_ratio" not in found.mean_absolute_error
    assert "delay_p99_ms" in found.mean_absolute_error


def test_an_idle_slice_keeps_its_sla(spec: NetworkSpec) -> None:
    frames = horizon(spec, loss=0.05, delay_ms=10.0)
    for entry in frames.values():
        entry.cell_slice[:, 1, OFFERED] = 0.0  # URLLC offers nothing: no loss, no delay to measure
        entry.cell_slice[:, 1, LOSS] = np.nan
        entry.fast[:, 1, :, DELAY] = np.nan
        entry.fast[:, 1, :, FAST_FEATURES.index("offered_mbps")] = 0.0
    found = score(forecast_of(good_proposal(spec, STEP), spec), frames, spec)
    assert found is not None
    assert found.observed_scm == pytest.approx(min(1 - 0.05 / 0.25, 1 - 0.05 / 0.20), abs=1e-6)


def test_delay_only_network_needs_no_loss() -> None:
    explora = load_network(find_network("explora-cell"))
    tightest = min(s.sla.delay_p99_max_ms or math.inf for s in explora.slices)
    frames = {s: frame(explora, s, delay_ms=tightest / 2, loss=math.nan) for s in range(STEP + 1, STEP + 13)}
    found = score(forecast_of(good_proposal(explora, STEP), explora), frames, explora)
    assert found is not None
    assert found.observed_scm == pytest.approx(0.5)


def test_gaps_and_nothing_at_all(spec: NetworkSpec) -> None:
    forecast = forecast_of(good_proposal(spec, STEP), spec)
    frames = horizon(spec)
    assert score(forecast, {}, spec) is None
    assert score(forecast, {STEP: frames[STEP + 1]}, spec) is None  # the proposal's own step is not of its horizon
    found = score(forecast, {s: f for s, f in frames.items() if s % 2}, spec)
    assert found is not None
    assert found.observed_step_count == 6


def test_frames_with_nothing_measured(spec: NetworkSpec) -> None:
    empty = {s: FrameArrays.missing(spec, s) for s in range(STEP + 1, STEP + 13)}
    found = score(forecast_of(good_proposal(spec, STEP), spec), empty, spec)
    assert found is not None
    validate(found)
    for field in ("observed_scm", "coverage_ratio", "action_distance"):
        assert not found.HasField(field)  # type: ignore[arg-type]
    assert not found.mean_absolute_error


def test_a_fallback_is_scored_without_forecast(spec: NetworkSpec) -> None:
    found = score(forecast_of(fallback_proposal(spec, STEP), spec), horizon(spec), spec)
    assert found is not None
    assert not found.HasField("recommended_predicted_scm")
    assert not found.HasField("running_predicted_scm")
    assert not found.HasField("coverage_ratio")
    assert found.HasField("observed_scm")
    assert found.HasField("action_distance")


def test_hostile_numbers_in_a_proposal(spec: NetworkSpec) -> None:
    proposal = good_proposal(spec, STEP)
    proposal.predicted_scm = math.inf
    proposal.running_predicted_scm = math.nan
    proposal.policy.prb_share[0] = math.nan
    proposal.fans[1].values[0] = math.nan
    proposal.fans[1].values.pop()
    found = score(forecast_of(proposal, spec), horizon(spec), spec)
    assert found is not None
    validate(found)
    for field in ("recommended_predicted_scm", "running_predicted_scm", "coverage_ratio", "action_distance"):
        assert not found.HasField(field)  # type: ignore[arg-type]


def test_other_levels_and_names(spec: NetworkSpec) -> None:
    proposal = good_proposal(spec, STEP)
    for fan in proposal.fans:
        fan.kpi_names[0] = "unheard_of"
        fan.quantile_levels[0] = 0.1
    found = score(forecast_of(proposal, spec), horizon(spec), spec)
    assert found is not None
    assert not found.HasField("coverage_ratio")  # no 5 % level
    assert set(found.mean_absolute_error) == {"delay_p99_ms", "utilisation_ratio", "served_mbps"}


def test_summary_means_over_what_is_there(spec: NetworkSpec) -> None:
    scores = [
        policy_pb2.ShadowScore(
            policy_set_id=f"a/{i}",
            area_id="a",
            step=i,
            observed_step_count=12,
            recommended_predicted_scm=0.5,
            decision=decision,
        )
        for i, decision in enumerate((policy_pb2.DECISION_ACCEPTED, policy_pb2.DECISION_REJECTED))
    ]
    scores[0].observed_scm, scores[0].running_predicted_scm = 0.3, 0.2
    scores[0].mean_absolute_error["loss_ratio"] = 0.1
    scores[1].observed_scm = 0.1
    summary = score_summary(scores)
    assert (summary.count, summary.accepted_count) == (2, 1)
    assert summary.observed_scm == pytest.approx(0.2)
    assert summary.running_scm_error == pytest.approx(0.1)
    assert summary.predicted_gain_scm == pytest.approx(0.3)
    assert summary.recommended_predicted_scm == pytest.approx(0.5)
    assert summary.mean_absolute_error == {"loss_ratio": pytest.approx(0.1)}
    assert summary.coverage_ratio is None
    assert score_summary([]).count == 0
