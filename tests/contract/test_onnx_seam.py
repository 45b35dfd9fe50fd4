"""The seam between training and inference, held by every model that ships: cards, shapes, the factored world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_zoo import frames

from twm.core.features import history_matrix
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import networks_folder, zoo_folder
from twm.core.zoo import ModelEntry, load_card
from twm.inference.engine import EngineOptions
from twm.inference.futures import Futures, sample_futures
from twm.inference.loading import LoadedDynamics, load_dynamics, load_field

OPTIONS = EngineOptions(use_cuda=False)
ROWS = 4


def shipped(name: str) -> list[Path]:
    return sorted(path.parent for path in (zoo_folder() / name).glob("*/card.yaml"))


def network_of(topology_digest: str) -> NetworkSpec:
    for path in sorted(networks_folder().glob("*.yaml")):
        spec = load_network(path)
        if spec.topology_digest() == topology_digest:
            return spec
    raise AssertionError(f"no shipped network has topology_digest {topology_digest[:12]}")


def go_on() -> None:
    """A check that lets the work go on."""


def run(loaded: LoadedDynamics, spec: NetworkSpec, action_seed: int) -> tuple[Futures, np.ndarray]:
    """Futures sampled and a policy rolled out beside them, as one decision does."""
    model = loaded.model
    history = history_matrix(frames(spec, loaded.card.window), spec, loaded.card.window)
    futures = sample_futures(model, history, steps=loaded.card.horizon_steps, samples=ROWS, seed=9, check=go_on)
    rows = model.controllable_pass(ROWS)
    rows.reset(futures.latents.controllable_deter_EG, futures.latents.controllable_stoch_EZ)
    rows.action_NA[:] = np.random.default_rng(action_seed).uniform(0.05, 0.3, rows.action_NA.shape)
    means = []
    for step in range(loaded.card.horizon_steps):
        rows.noise_ENZ[:], rows.exogenous_ENX[:] = futures.noise_HEJZ[step], futures.exogenous_HEJX[step]
        means.append(np.copy(rows.step()[0]))
    return futures, np.stack(means)


@pytest.mark.parametrize("folder", shipped("cdwm"), ids=lambda path: path.name)
def test_shipped_dynamics_keep_the_seam(folder: Path) -> None:
    """Loads against its card; actions move the KPIs and leave the exogenous futures the same bit by bit."""
    card = load_card(folder)
    spec = network_of(card.topology_digest)
    loaded = load_dynamics(ModelEntry(folder, card), spec, OPTIONS)
    first, kpis = run(loaded, spec, 1)
    second, other = run(loaded, spec, 2)
    assert first.exogenous_HEJX.tobytes() == second.exogenous_HEJX.tobytes()
    assert not np.allclose(kpis, other)
    loss, delay, used = kpis[..., 0], kpis[..., 1], kpis[..., 2]
    assert loss.min() >= 0
    assert loss.max() <= 1
    assert delay.min() > 0
    assert used.min() >= 0
    assert used.max() <= 1
    for file, graph in card.graphs.items():
        assert graph.inputs, file
        assert graph.outputs, file
    assert "action" not in {tensor.name for tensor in card.graphs["exogenous_step.onnx"].inputs}


@pytest.mark.parametrize("folder", shipped("fwm"), ids=lambda path: path.name)
def test_shipped_field_models_keep_the_seam(folder: Path) -> None:
    """Loads against its card and answers finite fields in the shape the card names."""
    card = load_card(folder)
    load_field(ModelEntry(folder, card), network_of(card.topology_digest), OPTIONS)


def test_every_shipped_network_has_both_models_or_none() -> None:
    """A network with one of the two could not become ready."""
    found = {name: {load_card(folder).topology_digest for folder in shipped(name)} for name in ("cdwm", "fwm")}
    assert found["cdwm"] == found["fwm"]
