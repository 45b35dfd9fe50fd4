"""Layers, losses and normalisation of the world models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from twm_train.layers import StackedGru, StackedLinear, StackedMlp, fair_crps, free_bits, normal_kl
from twm_train.normalise import ColumnScaler, Coupling, coupling_factor


def test_stacked_layers_keep_members_apart() -> None:
    torch.manual_seed(0)
    layer = StackedMlp(3, (5, 7, 2))
    x = torch.randn(3, 4, 6, 5)
    y = layer(x)
    assert y.shape == (3, 4, 6, 2)
    changed = x.clone()
    changed[1] += 1.0
    z = layer(changed)
    assert torch.equal(y[0], z[0])
    assert torch.equal(y[2], z[2])
    assert not torch.equal(y[1], z[1])
    assert not torch.allclose(layer(x[:1].expand_as(x))[0], layer(x[:1].expand_as(x))[1])


def test_stacked_linear_is_a_matmul_per_member() -> None:
    torch.manual_seed(0)
    layer = StackedLinear(2, 3, 4)
    x = torch.randn(2, 5, 3)
    expected = torch.stack([x[e] @ layer.weight[e] + layer.bias[e] for e in range(2)])
    assert torch.allclose(layer(x), expected, atol=1e-6)
    assert not StackedLinear(2, 3, 4, scale=0.0)(x).any()


def test_gru_with_long_memory_keeps_its_state() -> None:
    torch.manual_seed(0)
    cell = StackedGru(2, 3, 8, memory=20.0)
    state = torch.randn(2, 5, 8)
    assert torch.allclose(cell(torch.randn(2, 5, 3), state), state, atol=1e-5)


def test_kl_of_equal_gaussians_is_zero_and_free_bits_floor_it() -> None:
    mean, std = torch.randn(4, 6), torch.rand(4, 6) + 0.1
    kl = normal_kl(mean, std, mean, std)
    assert torch.allclose(kl, torch.zeros_like(kl), atol=1e-6)
    assert float(free_bits(kl, 3.0)) == 3.0
    reference = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, std), torch.distributions.Normal(mean + 1, std * 2)
    )
    assert torch.allclose(normal_kl(mean, std, mean + 1, std * 2), reference, atol=1e-5)


def test_fair_crps_equals_its_definition_and_is_least_for_the_truth() -> None:
    torch.manual_seed(0)
    samples, truth = torch.randn(4, 2000), torch.randn(2000)
    pairs = (samples[:, None] - samples[None]).abs().sum((0, 1)) / (2 * 4 * 3)
    expected = ((samples - truth).abs().mean(0) - pairs).mean()
    assert float(fair_crps(samples, truth, torch.ones_like(truth))) == pytest.approx(float(expected), rel=1e-4)
    score = lambda factor: float(fair_crps(samples * factor, truth, torch.ones_like(truth)))
    assert score(1.0) < score(0.2)
    assert score(1.0) < score(3.0)


def test_scaler_ignores_missing_values_and_columns_that_never_vary() -> None:
    rng = np.random.default_rng(0)
    values = rng.random((500, 3)).astype(np.float32) * 1000
    values[:, 1] = 7.0
    values[::2, 2] = np.nan
    scaler = ColumnScaler.fit(values)
    known = torch.from_numpy(np.isfinite(values).astype(np.float32))
    out = scaler(torch.from_numpy(np.nan_to_num(values)), known).numpy()
    assert not out[:, 1].any()
    assert not out[::2, 2].any()
    assert out[:, 0].mean() == pytest.approx(0, abs=1e-3)
    assert out[1::2, 2].std() == pytest.approx(1, abs=1e-2)
    wild = scaler(torch.full((1, 3), 1e12), torch.ones(1, 3))
    assert torch.isfinite(wild).all()
    assert float(wild.abs().max()) <= 6.0


def test_coupling_is_found_from_changes_of_se() -> None:
    rng = np.random.default_rng(0)
    share = rng.uniform(0.3, 1.0, (200, 20, 3)).astype(np.float32)
    truth = np.array([[0.0, -0.3, 0.0], [-0.2, 0.0, 0.0], [0.0, -0.1, 0.0]], np.float32)
    level = rng.normal(1.0, 0.3, (200, 1, 3))
    efficiency = np.exp(level + (share - 1) @ truth + rng.normal(0, 0.01, share.shape)).astype(np.float32)
    coupling = Coupling.fit(share, efficiency)
    factor = coupling.log_factor(share)
    assert np.abs(factor - (share - 1) @ truth).max() < 0.03
    assert not coupling.log_factor(np.ones(3)).any()
    graph = coupling_factor(torch.from_numpy(share), torch.from_numpy(coupling.weight_UC)).numpy()
    assert graph == pytest.approx(factor, abs=1e-6)
