"""Normalisation constants, fitted on the training split and stored inside the graphs.

Shape suffixes: N samples, D columns, W history frames, C cells, S slices, L links.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Float = NDArray[np.float32]
CLIP = 6.0
"""Normalised inputs are clipped here: a wild input moves the state by a bounded amount."""


def squash(x: Tensor) -> Tensor:
    """sign(x) log(1 + |x|): loads, delays and queues span decades."""
    return torch.sign(x) * torch.log1p(torch.abs(x))


class ColumnScaler(nn.Module):
    """(squash(value) - mean) / std, clipped, 0 where unknown; columns that never vary in training count for nothing."""

    def __init__(self, mean_D: Float, std_D: Float) -> None:
        super().__init__()
        scale = np.where(std_D > 1e-6, 1.0 / np.maximum(std_D, 1e-6), 0.0)
        self.register_buffer("mean", torch.tensor(mean_D, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    @classmethod
    def fit(cls, values_ND: Float) -> ColumnScaler:
        """From samples with NaN where missing."""
        squashed = np.sign(values_ND) * np.log1p(np.abs(values_ND))
        known = np.isfinite(squashed)
        count = np.maximum(known.sum(0), 1)
        mean = np.where(known, squashed, 0).sum(0, dtype=np.float64) / count
        std = np.sqrt((np.where(known, squashed - mean.astype(np.float32), 0) ** 2).sum(0, dtype=np.float64) / count)
        std = np.where(std > 1e-4 * (1 + np.abs(mean)), std, 0.0)  # less is rounding: the column never varied
        return cls(mean.astype(np.float32), std.astype(np.float32))

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Apply to values [..., D] with flags [..., D]."""
        return torch.clamp((squash(values) - self.mean) * self.scale, -CLIP, CLIP) * known


@dataclass(frozen=True)
class Coupling:
    """How PRB use of all cells changes a cell's spectral efficiency: log SE(u) = log SE(u=1) + [u - 1, u^2 - 1] G.

    u [C] is each cell's summed PRB share. Fitted on changes of observed SE from step to step; what is left is free of actions.
    """

    weight_UC: Float
    """G [2C, C]."""

    @classmethod
    def fit(cls, share_NTC: Float, efficiency_NTC: Float, ridge: float = 3e-3) -> Coupling:
        """From recorded summed shares and SE of N episodes of T steps (ridge regression on differences)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            change = np.diff(np.log(np.maximum(efficiency_NTC, 1e-3)), axis=1)
        move = np.diff(np.concatenate([share_NTC, share_NTC**2], -1), axis=1)
        c = share_NTC.shape[-1]
        weight = np.zeros((2 * c, c))
        for cell in range(c):
            y, x = change[..., cell].reshape(-1), move.reshape(-1, 2 * c)
            good = np.isfinite(y) & np.isfinite(x).all(-1) & (np.abs(y) < 1.5)
            if good.sum() < 20 * c:
                continue
            x, y = x[good].astype(np.float64), y[good].astype(np.float64)
            gram = x.T @ x
            weight[:, cell] = np.linalg.solve(gram + ridge * len(y) * np.eye(2 * c) * 0.01, x.T @ y)
        return cls(weight.astype(np.float32))

    def log_factor(self, share_C: NDArray[np.floating]) -> Float:
        """log SE(u) - log SE(1) [..., C]."""
        u = np.asarray(share_C, np.float32)
        return np.asarray(np.concatenate([u - 1, u**2 - 1], -1) @ self.weight_UC, np.float32)


def coupling_factor(share_C: Tensor, weight_UC: Tensor) -> Tensor:
    """As `Coupling.log_factor`, in a graph."""
    return torch.matmul(torch.cat([share_C - 1, share_C**2 - 1], -1), weight_UC)
