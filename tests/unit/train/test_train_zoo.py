"""The models that ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from twm.core.network import load_network
from twm.core.paths import find_network, zoo_folder
from twm.core.zoo import check_digests, check_network, find_model


def test_the_whole_zoo_is_small_enough_to_commit() -> None:
    total = sum(path.stat().st_size for path in zoo_folder().rglob("*") if path.is_file())
    assert 0 < total < 10e6


@pytest.mark.parametrize("network", ["poc-city", "explora-cell"])
@pytest.mark.parametrize("name", ["fwm", "cdwm"])
def test_shipped_models_match_their_cards_and_their_networks(network: str, name: str) -> None:
    spec = load_network(find_network(network))
    entry = find_model(zoo_folder(), name, spec.topology_digest())
    check_digests(entry)
    check_network(entry.card, spec)
    assert entry.card.spec_digest == spec.digest(), "trained on another calibration of the twin: train again"
    assert {p.name for p in Path(entry.folder).iterdir()} == {*entry.card.graphs, "card.yaml"}


def test_shipped_dynamics_were_trained() -> None:
    spec = load_network(find_network("poc-city"))
    quality = find_model(zoo_folder(), "cdwm", spec.topology_digest()).card.quality
    for kpi in quality["kpi"].values():
        assert kpi["rmse"] < kpi["rmse_persistence"]
        assert 0.8 < kpi["coverage_90"] < 0.98
    for variant in ("history", "calendar"):
        assert quality[f"ranking_{variant}"]["spearman_all"] > 0.5
        assert quality[f"ranking_{variant}"]["spearman_margin"] > 0.8
    assert quality["exogenous"]["demand"]["skill"] > 0.1
