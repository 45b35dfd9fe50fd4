"""Field World Model: a 3-layer CNN on the raster of the area, giving quantiles of the field features per cell, now and ahead.

Each cell reads the last layer at its node of the raster, and besides its own newest frame (so persistence is where it starts).

Shape suffixes: B batch, Cin input channels, G nodes a side, C cells, T step offsets, Q quantile levels, F field features.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.features import FIELD_FEATURES, grid_nodes
from twm.core.network import NetworkSpec
from twm.core.zoo import GridGeometry
from twm_train.normalise import CLIP, ColumnScaler, squash

CHANNELS = 32
QUANTILE_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
Float = NDArray[np.float32]


def step_offsets(horizon_steps: int) -> tuple[int, ...]:
    """Now, the next three steps, then every third, and the last."""
    near = {0, 1, 2, 3, *range(3, horizon_steps + 1, 3), horizon_steps}
    return tuple(sorted(offset for offset in near if offset <= horizon_steps))


LINEAR = torch.tensor([name == "offered_change_mbps" for name in FIELD_FEATURES])
"""Features of either sign: normalised as they are, not squashed, so that their median is not bent towards 0."""


def to_field_z(features: Tensor) -> Tensor:
    """Physical field features [..., F] to the space that is normalised."""
    return torch.where(LINEAR, features, squash(features))


class FieldModel(nn.Module):
    """grid [B, Cin, G, G] to field [B, T, Q, C, F] in physical units."""

    def __init__(
        self, spec: NetworkSpec, grid: GridGeometry, scaler: ColumnScaler, feature_mean_F: Float, feature_std_F: Float
    ) -> None:
        super().__init__()
        self.offsets = step_offsets(spec.timing.horizon_steps)
        self.scaler = scaler
        channels = scaler.mean.shape[0]
        features = len(FIELD_FEATURES)
        self.per_frame = features + len(spec.slices) + 1
        self.newest = (grid.frames - 1) * self.per_frame
        self.shape = (len(self.offsets), len(QUANTILE_LEVELS), features)
        self.register_buffer("nodes", torch.tensor(grid_nodes(spec, grid)))
        self.register_buffer("feature_mean", torch.tensor(feature_mean_F))
        self.register_buffer("feature_std", torch.tensor(feature_std_F))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, CHANNELS, 3, padding=1) for i in (channels, CHANNELS, CHANNELS))
        self.hidden = nn.Linear(CHANNELS + channels, 64)
        self.head = nn.Linear(64, self.shape[0] * self.shape[1] * features)
        self.place = nn.Parameter(torch.zeros(len(spec.cells), self.shape[0], features))
        keep = torch.full((self.shape[0], features), 0.8)
        keep[1:, LINEAR] = 0.0  # a change of load says little about the next one
        self.keep = nn.Parameter(keep)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def normal(self, grid: Tensor) -> Tensor:
        """Normalised quantiles [B, T, Q, C, F], ascending over Q."""
        rows = grid.flatten(-2).transpose(-1, -2)
        scaled = self.scaler(rows, torch.ones_like(rows)) * rows.ne(0)
        x = scaled.transpose(-1, -2).reshape(grid.shape)
        for layer in self.convolutions:
            x = nn.functional.silu(layer(x))
        at = x.flatten(-2).transpose(-1, -2)[:, self.nodes]
        own = scaled[:, self.nodes]
        raw = self.head(nn.functional.silu(self.hidden(torch.cat([at, own], -1)))).unflatten(-1, self.shape)
        _, q, f = self.shape
        seen = rows[:, self.nodes][..., self.newest : self.newest + f]
        base = (to_field_z(seen) - self.feature_mean) / self.feature_std
        base = base.clamp(-CLIP, CLIP).unsqueeze(2) * self.keep + self.place
        middle = q // 2
        median = raw[..., middle, :] + base
        below = nn.functional.softplus(raw[..., :middle, :] - 1.5).flip(-2).cumsum(-2).flip(-2)
        above = nn.functional.softplus(raw[..., middle + 1 :, :] - 1.5).cumsum(-2)
        out = torch.cat([median.unsqueeze(-2) - below, median.unsqueeze(-2), median.unsqueeze(-2) + above], -2)
        return out.permute(0, 2, 3, 1, 4)

    def forward(self, grid: Tensor) -> Tensor:
        """Quantiles in physical units; only the change of load may be negative."""
        z = self.normal(grid).clamp(-CLIP - 2, CLIP + 2) * self.feature_std + self.feature_mean
        return torch.where(LINEAR, z, torch.expm1(z.clamp(min=0)))

    def target(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(normalised, known flags) of observed field features with NaN."""
        normal = (to_field_z(features) - self.feature_mean) / self.feature_std
        known = torch.isfinite(normal)
        return torch.where(known, normal.clamp(-CLIP, CLIP), torch.zeros_like(normal)), known.to(normal.dtype)


def pinball(quantiles_BTQCF: Tensor, truth_BTCF: Tensor, known_BTCF: Tensor) -> Tensor:
    """Mean pinball loss over what is known (Koenker & Bassett 1978)."""
    level = torch.tensor(QUANTILE_LEVELS).reshape(1, 1, -1, 1, 1)
    error = truth_BTCF.unsqueeze(2) - quantiles_BTQCF
    loss = torch.maximum(level * error, (level - 1) * error) * known_BTCF.unsqueeze(2)
    return loss.sum() / (known_BTCF.sum().clamp(min=1) * len(QUANTILE_LEVELS))
