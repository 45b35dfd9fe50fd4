"""The proof-of-concept city is frozen (ADR 3): its digest, how it behaves, and what the calibration protocol bounds."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.actions import uniform_policy
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.planner.library import library_policies
from twm_twin.calibrate import binding, measure, pairs, run_rule
from twm_twin.layout import TwinLayout
from twm_twin.outcomes import Futures, simulate
from twm_twin.seeds import seeds

DIGEST = "1bce8e0a9ad4e4a2339b5b9c3573e760499073730780148fcabd24a8cb672d4e"
FINGERPRINT = {
    "hotspot-id": (0.17620397, 0.00112631, 0.15437184, 12.5768088),
    "wave-id": (0.16687770, 0.0, 0.20615091, 10.1643869),
    "hotspot-ood": (0.18728687, 0.00845054, 0.17028949, 14.0260111),
    "wave-ood": (0.19479165, 0.0, 0.16730335, 17.2520007),
}
"""Loss by slice and URLLC p99 [ms] of the uniform allocation on calibration seed 10000."""


def test_the_spec_has_its_digest(spec: NetworkSpec) -> None:
    assert spec.digest() == DIGEST


def test_the_simulator_behaves_as_it_did(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    futures = Futures.drawn(layout, [10000] * len(FINGERPRINT), list(FINGERPRINT))
    outcome = simulate(layout, uniform_policy(spec), futures)
    urllc = layout.topology.slice_index["urllc"]
    found = np.concatenate([outcome.loss_ratio_S[0], outcome.delay_p99_ms_S[0][:, urllc : urllc + 1]], 1)
    np.testing.assert_allclose(found, np.array(list(FINGERPRINT.values())), rtol=1e-5, atol=1e-7)


def test_uniform_scores_what_the_protocol_asks(spec: NetworkSpec) -> None:
    layout = TwinLayout.of(spec)
    chosen, scenarios = pairs(seeds("calibration", 64))
    scm = simulate(layout, uniform_policy(spec), Futures.drawn(layout, chosen.tolist(), scenarios)).scm[0]
    assert 0.12 <= float(scm.mean()) <= 0.20
    assert float(scm.mean()) == pytest.approx(0.160, abs=0.002)


def test_every_sla_term_binds_often_and_the_naive_rule_is_not_the_best(spec: NetworkSpec) -> None:
    """Every fourth library policy on every fourth calibration seed: a sample of the ADR's measure."""
    layout = TwinLayout.of(spec)
    chosen, scenarios = pairs(seeds("calibration", 64)[::4])
    futures = Futures.drawn(layout, chosen.tolist(), scenarios)
    library, _ = library_policies(spec)
    sample = library.take(list(range(0, library.count, 4)))
    outcome = simulate(layout, sample, futures)
    terms = binding(spec, outcome)
    assert terms.terms == ["embb.loss", "urllc.loss", "urllc.delay", "fwa.loss"]
    assert min(terms.ratio) >= 0.10 - 0.02
    assert sum(terms.ratio) == pytest.approx(1.0)
    proportional, _ = run_rule(spec, chosen, scenarios, "proportional")
    reactive, _ = run_rule(spec, chosen, scenarios, "reactive")
    assert proportional.scm.mean() < reactive.scm.mean()
    assert proportional.scm.mean() < outcome.scm.mean(1).max()


def test_calibration_takes_calibration_seeds_only(spec: NetworkSpec) -> None:
    with pytest.raises(InvalidInputError, match=r"seed: 0 is outside 10000\.\.10063"):
        measure(spec, [0])
