"""The ceilings study: its futures are the twin's own, what is known of perfect and of blind predictors, and what it counts."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm_bench.axes.ranking import rank_of
from twm_bench.axes.served import ServedModels
from twm_bench.ceilings.calibration import mapped
from twm_bench.ceilings.notes import notes
from twm_bench.ceilings.predictors import PREDICTORS
from twm_bench.ceilings.study import ceilings, count_starts, ranks
from twm_train.starts import Start, starts_of
from twm_twin.calendar import noisy_calendar, told_errors
from twm_twin.exogenous import ExogenousPath
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import simulate
from twm_twin.redraw import Moment, MomentPath
from twm_twin.seeds import seeds


@pytest.fixture(scope="module")
def city() -> NetworkSpec:
    return load_network(find_network("poc-city"))


@pytest.fixture(scope="module")
def layout(city: NetworkSpec) -> TwinLayout:
    return TwinLayout.of(city)


@pytest.fixture(scope="module")
def starts(city: NetworkSpec) -> list[Start]:
    return starts_of(city, "validation", seeds("validation", 2, 0x7000), ["hotspot-id"], candidates=16)


def test_a_moments_own_future_plays_as_the_twin_did(layout: TwinLayout, starts: list[Start]) -> None:
    assert {start.moment.first for start in starts} == {12, 18}
    for start in starts:
        again = simulate(layout, start.policies, MomentPath(layout, start.moment).true(), all_delays=True)
        assert np.array_equal(again.loss_ratio_S[:, 0], start.truth.loss_ratio_S)
        assert np.array_equal(again.delay_p99_ms_S[:, 0], start.truth.delay_p99_ms_S)


def test_other_noise_keeps_shocks_and_links_and_other_events_keep_what_has_begun(layout: TwinLayout) -> None:
    c, s, n_links = layout.spec.sizes
    queues = (np.zeros((c, s)), np.zeros((n_links, s)), np.zeros((c, s)))
    paths = [MomentPath(layout, Moment(seed, "wave-id", 12, 18, *queues)) for seed in seeds("validation", 8, 0x7000)]
    path = next(p for p in paths if any(e.onset_step < 18 < e.onset_step + e.duration_steps for e in p.events))
    generator = np.random.default_rng(3)
    noise, law, told = (
        path.other_noise(16, generator),
        path.other_events(16, generator),
        path.other_events(16, generator, told=True),
    )
    slow = path.mean_HTCS[path.ahead].mean(1)
    spread = lambda futures: np.std(futures.demand_mbps_JHTCS.mean(2) / slow, axis=0).mean((1, 2))
    assert np.abs(noise.demand_mbps_JHTCS.mean((0, 2)) / slow - 1).max() < 0.15
    assert (noise.link_capacity_mbps_JHL == noise.link_capacity_mbps_JHL[:1]).all()
    assert spread(noise)[0] == pytest.approx(spread(law)[0], rel=0.5)  # the next step is told by what runs already
    late = slice(4, 12)
    assert spread(noise)[late].mean() < spread(told)[late].mean() < spread(law)[late].mean()


def test_a_moment_before_anything_was_played_is_refused(layout: TwinLayout) -> None:
    with pytest.raises(InvalidInputError, match="first: 0"):
        MomentPath(layout, Moment(1, "wave-id", 0, 0, np.zeros(1), np.zeros(1), np.zeros(1)))


def test_told_errors_are_those_of_the_calendar(layout: TwinLayout) -> None:
    path = ExogenousPath(layout, 0xB7001, "hotspot-id")
    path.next_block()
    events = list(path.events)
    told = noisy_calendar(layout, 0xB7001, "hotspot-id", horizons=1)
    assert len(told) == len(events) > 0
    for event, error, entry in zip(events, told_errors(events, 0xB7001, "hotspot-id"), told, strict=True):
        assert entry.onset_step == max(round(event.onset_step + error.onset_steps), 0)
        assert entry.amplitude == pytest.approx(event.calendar_amplitude * np.exp(error.log_peak), rel=1e-5)


def test_ranks_of_known_predictions() -> None:
    true = [np.array([0.0, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), np.zeros(7), np.array([0.0, 0.3, 0.1, 0.2, 0.0, 0.0, 0.0])]
    shifted = np.array([False, True, True])
    perfect = ranks(true, true, shifted)
    assert perfect["within"] == {
        **dict.fromkeys(("all", "id", "id_feasible", "all_feasible", "ood"), 1.0),
        "ood_feasible": None,
    }
    blind = ranks([np.zeros(7)] * 3, true, shifted)
    assert blind["within"]["all"] == 0.0  # to rank nothing where there is something to rank is not left out
    assert rank_of(np.zeros(4), np.zeros(4)) != rank_of(np.zeros(4), np.zeros(4))  # nothing to rank: not a number
    counts = count_starts(true, shifted)
    assert counts["ood"] | {"candidates_feasible": 3} == counts["ood"]
    assert (counts["all"]["none_compliant"], counts["all"]["rank"], counts["all"]["rank_feasible"]) == (1, 2, 1)


def test_the_study_puts_the_twins_knowledge_above_the_models(city: NetworkSpec, starts: list[Start]) -> None:
    models = ServedModels(city, zoo_folder())
    if models.dynamics is None:
        pytest.skip(models.why_no_dynamics)
    found = ceilings(models, starts, "history")
    assert tuple(found["predictors"]) == PREDICTORS
    of = found["predictors"]
    assert of["true_future"]["scm_rmse"] < min(of[name]["scm_rmse"] for name in ("law", "forecast_in_twin", "model"))
    assert of["true_future"]["played"]["within"]["id"] > 0.7
    assert of["true_future"]["ece_any"] < of["model"]["ece_any"] + 0.02
    shares = found["error"]["all"]
    assert 0 <= shares["noise_share"] < shares["law_share"]
    assert found["starts"]["id"]["starts"] == 2
    assert {"ece", "ece_mapped", "maps"} == set(found["violation"]["any"])
    told = notes({"history": found, "calendar": {"skipped": "no model"}})
    assert set(told) == {"ranking", "uncertainty", "uncertainty_ece"}
    assert f"{of['law']['played']['within']['id']:.2f} / - (" in told["ranking"]["value"]
    assert notes({"history": {"skipped": "no model"}}) == {}


def test_a_map_fitted_on_other_seeds_mends_what_is_monotone() -> None:
    generator = np.random.default_rng(5)
    true = generator.random(20000)
    happened, seed = generator.random(20000) < true, np.repeat(np.arange(20), 1000)
    odds = (true / (1.0 - true)) ** 2.0 * np.exp(0.8)  # too sure, and too dark
    told = np.rint(odds / (1.0 + odds) * 48) / 48
    found = mapped(told, happened, seed)
    assert found["ece"] > 0.1
    assert found["ece_mapped"] < 0.02
    assert found["maps"][0] == pytest.approx([0.5, 0.5, -0.4], abs=0.12)
    assert mapped(told[:1000], happened[:1000], seed[:1000])["ece_mapped"] is None
