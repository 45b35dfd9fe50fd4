"""Layers of an ensemble: every weight has a leading member axis, so one batched matmul serves all members.

Shape suffixes: E members, ... any axes between (flattened for the matmul), I and O features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class StackedLinear(nn.Module):
    """y[E, ..., O] = x[E, ..., I] W[E, I, O] + b[E, 1, O]; each member is initialised on its own."""

    def __init__(self, members: int, inputs: int, outputs: int, *, scale: float = 1.0) -> None:
        super().__init__()
        bound = scale * math.sqrt(3.0 / max(inputs, 1))
        self.weight = nn.Parameter(
            torch.empty(members, inputs, outputs).uniform_(-bound, bound) if scale else torch.zeros(members, inputs, outputs)
        )
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Apply to x [E, ..., I]."""
        members, _, outputs = self.weight.shape
        flat = x.reshape(members, -1, x.shape[-1])
        y = torch.matmul(flat, self.weight) + self.bias
        return y.reshape(*x.shape[:-1], outputs)


class StackedMlp(nn.Module):
    """Linear layers with SiLU between; the last is scaled by `last_scale` (0: starts as a constant)."""

    def __init__(self, members: int, widths: Sequence[int], *, last_scale: float = 1.0) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.layers = nn.ModuleList(
            StackedLinear(members, i, o, scale=last_scale if n == len(pairs) - 1 else 1.3) for n, (i, o) in enumerate(pairs)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Apply to x [E, ..., widths[0]]."""
        for n, layer in enumerate(self.layers):
            x = layer(x if n == 0 else nn.functional.silu(x))
        return x


class StackedGru(nn.Module):
    """Gated recurrent cell (Cho et al. 2014): state [E, N, D], input [E, N, I]; `memory` biases it to keep its state."""

    def __init__(self, members: int, inputs: int, state: int, *, memory: float = 1.0) -> None:
        super().__init__()
        self.state, self.memory = state, memory
        self.from_input = StackedLinear(members, inputs, 3 * state)
        self.from_state = StackedLinear(members, state, 3 * state)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """Next state."""
        xr, xu, xc = self.from_input(x).split(self.state, -1)
        hr, hu, hc = self.from_state(state).split(self.state, -1)
        reset, update = torch.sigmoid(xr + hr), torch.sigmoid(xu + hu - self.memory)
        return (1 - update) * state + update * torch.tanh(xc + reset * hc)


class StackedNormal(nn.Module):
    """Head for a diagonal Gaussian: (mean, std) [E, ..., Z]."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = StackedLinear(members, inputs, 2 * outputs, scale=0.5)
        self.outputs = outputs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean, and standard deviation in 0.05 .. 1.05."""
        mean, raw = self.linear(x).split(self.outputs, -1)
        return mean, 0.05 + torch.sigmoid(raw)


def normal_kl(mean_q: Tensor, std_q: Tensor, mean_p: Tensor, std_p: Tensor) -> Tensor:
    """KL divergence of diagonal Gaussians q || p, elementwise."""
    return torch.log(std_p / std_q) + (std_q**2 + (mean_q - mean_p) ** 2) / (2 * std_p**2) - 0.5


def free_bits(kl: Tensor, nats: float) -> Tensor:
    """Mean KL per state, of which `nats` are free (Kingma et al. 2016); kl [..., Z]."""
    return torch.clamp(kl.sum(-1).mean(), min=nats)


def fair_crps(samples_M: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Fair CRPS of M samples [M, ...] against truth [...], mean over what is known (Ferro 2014)."""
    m = samples_M.shape[0]
    error = (samples_M - truth).abs().mean(0)
    ordered = samples_M.sort(0).values
    weight = (2.0 * torch.arange(1, m + 1, dtype=samples_M.dtype) - m - 1).reshape(-1, *([1] * truth.ndim))
    spread = (ordered * weight).sum(0) / (m * (m - 1))
    return ((error - spread) * known).sum() / known.sum().clamp(min=1.0)
