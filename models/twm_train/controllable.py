"""Controllable part of the CDWM: what a policy makes of an exogenous future, as KPIs per slice.

Physics first: queueing theory (twm_train.physics) predicts every KPI; a recurrent state-space model (Hafner et al. 2019,
"PlaNet") adds the residual and the uncertainty. The residual sees features of each (cell, slice), pooled over cells by load and
by the worst, so nothing depends on how many cells, slices or links there are. Untrained, the model is the physics alone.

Shape suffixes: E members, N rows, C cells, S slices, L links, P KPIs, A action and X exogenous columns, W history frames.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.features import FAST_POOLED, HistoryLayout
from twm.core.frames import CELL_FEATURES, CELL_SLICE_FEATURES, LINK_FEATURES, LINK_SLICE_FEATURES
from twm.core.kpis import DELAY_FLOOR_MS, KPI_NAMES, LOSS_SCALE_RATIO
from twm.core.network import NetworkSpec
from twm_train.fwm import slice_attributes
from twm_train.layers import StackedGru, StackedLinear, StackedMlp, StackedNormal
from twm_train.normalise import ColumnScaler
from twm_train.physics import LOCAL, THRESHOLDS, Physics, PhysicsConstants

DETER, STOCH = 48, 12
CELL_WIDTH, POOL_WIDTH, CONTEXT_WIDTH, HEAD_WIDTH, ENCODER_WIDTH = 12, 8, 16, 40, 24
LATE_PICKS = tuple(THRESHOLDS.index(t) for t in (0.5, 1.0, 1.5))
NODE_BLOCKS = (("cell_slice", len(CELL_SLICE_FEATURES)), ("fast", len(FAST_POOLED)))
LINK_BLOCKS = (("link_slice", len(LINK_SLICE_FEATURES)), ("link", len(LINK_FEATURES)))
Float = NDArray[np.float32]


class ControllableModel(nn.Module):
    """Ensemble of E controllable state-space models."""

    def __init__(
        self,
        spec: NetworkSpec,
        members: int,
        recent: int,
        scaler: ColumnScaler,
        kpi_mean_SP: Float,
        kpi_std_SP: Float,
        constants: PhysicsConstants,
    ) -> None:
        super().__init__()
        layout = HistoryLayout.of(spec)
        c, s, n_links = spec.sizes
        self.sizes, self.members, self.recent, self.value_count = (c, s, n_links), members, recent, layout.value_count
        self.deter, self.stoch = DETER, STOCH
        self.scaler = scaler
        self.layout = layout
        self.physics = Physics(spec, constants)
        buffer = lambda name, value: self.register_buffer(name, torch.tensor(np.asarray(value, np.float32)))
        buffer("mean", kpi_mean_SP)
        buffer("std", kpi_std_SP)
        buffer("attributes", slice_attributes(spec))
        p, kinds = len(KPI_NAMES), self.attributes.shape[1]
        width = sum(n for _, n in NODE_BLOCKS) + len(CELL_FEATURES)
        self.node_in = StackedMlp(members, (2 * recent * width + kinds, ENCODER_WIDTH, ENCODER_WIDTH))
        self.link_in = StackedMlp(members, (2 * recent * sum(n for _, n in LINK_BLOCKS), ENCODER_WIDTH, ENCODER_WIDTH))
        self.state = StackedMlp(members, (4 * ENCODER_WIDTH, 64, DETER + STOCH), last_scale=0.5)
        self.local_in = StackedLinear(members, LOCAL, CELL_WIDTH, scale=1.3)
        self.kind_in = StackedLinear(members, kinds, CELL_WIDTH, scale=0.3)
        self.local_out = StackedLinear(members, CELL_WIDTH, POOL_WIDTH)
        pooled = 2 * POOL_WIDTH + p + len(LATE_PICKS)
        self.summary = StackedLinear(members, pooled + kinds, STOCH)
        self.cell = StackedGru(members, 2 * STOCH, DETER)
        self.prior_head = StackedNormal(members, DETER, STOCH)
        self.posterior_in = StackedLinear(members, DETER + p + kinds, 48)
        self.posterior_head = StackedNormal(members, 48, STOCH)
        self.context = StackedLinear(members, DETER + STOCH, CONTEXT_WIDTH)
        self.head_in = StackedLinear(members, pooled + CONTEXT_WIDTH + kinds, HEAD_WIDTH, scale=1.3)
        self.head_out = StackedLinear(members, HEAD_WIDTH, 2 * p, scale=0.0)

    def encode(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """(h, z) [E, N, .] from histories [E, N, W, D_h]; the newest `recent` frames count (queues drain soon)."""
        c, s, n_links = self.sizes
        e, n = history.shape[:2]
        values, known = history[..., -self.recent :, :].split(self.value_count, -1)
        scaled = self.scaler(values, known)

        def block(name: str) -> Tensor:
            columns, shape = self.layout.blocks[name]
            both = torch.stack([scaled[..., columns], known[..., columns]], -1).unflatten(-2, shape)
            return both.movedim(2, -1).flatten(-3)

        cell = block("cell").unsqueeze(3)
        parts = [block(name) for name, _ in NODE_BLOCKS]
        parts += [cell.expand(e, n, c, s, cell.shape[-1]), self.attributes.expand(e, n, c, s, -1)]
        node = nn.functional.silu(self.node_in(torch.cat(parts, -1))).flatten(2, 3)
        state = [node.mean(2), node.amax(2)]
        if n_links:
            link = block("link").unsqueeze(3)
            wide = torch.cat([block("link_slice"), link.expand(e, n, n_links, s, link.shape[-1])], -1)
            rows = nn.functional.silu(self.link_in(wide)).flatten(2, 3)
            state += [rows.mean(2), rows.amax(2)]
        else:
            state += [torch.zeros_like(state[0])] * 2
        deter, stoch = self.state(torch.cat(state, -1)).split((DETER, STOCH), -1)
        return torch.tanh(deter), stoch

    def pool(self, action: Tensor, exogenous: Tensor) -> tuple[Tensor, Tensor]:
        """(pooled inputs [E, N, S, .], physics' KPIs, normalised [E, N, S, P]); see Physics.forward for the arguments."""
        c, s, _ = self.sizes
        local, weight, kpi_z, late = self.physics(action, exogenous)
        e = self.members
        kind = self.kind_in(self.attributes.expand(e, s, -1)).transpose(1, 2)
        offset = (self.local_in.bias.transpose(1, 2) + kind).unsqueeze(2).unsqueeze(-1)
        inner = torch.matmul(self.local_in.weight.transpose(1, 2), local.flatten(2)).unflatten(2, (c, s, -1))
        inner = nn.functional.relu(inner + offset)
        outer = torch.matmul(self.local_out.weight.transpose(1, 2), inner.flatten(2)).unflatten(2, (c, s, -1))
        mean, most = (outer * weight.unsqueeze(1)).sum(2), outer.amax(2)
        base = ((kpi_z - self.mean[..., None]) / self.std[..., None]).clamp(-6, 6)
        picked = late[:, :, list(LATE_PICKS)] * 0.3 if late.shape[1] else late[:, :, : len(LATE_PICKS)]
        if late.shape[1] != s:
            nothing = kpi_z.new_zeros(kpi_z.shape[0], 1, len(LATE_PICKS), kpi_z.shape[-1])
            at = [self.physics.bounded.index(i) if i in self.physics.bounded else -1 for i in range(s)]
            picked = torch.cat([nothing if j < 0 else picked[:, j : j + 1] for j in at], 1)
        pooled = torch.cat([mean.transpose(1, 2), most.transpose(1, 2), base, picked], 2)
        return pooled.permute(0, 3, 1, 2), base.permute(0, 3, 1, 2)

    def _with_kind(self, x: Tensor) -> Tensor:
        """Slice attributes beside [..., S, .]."""
        return torch.cat([x, self.attributes.expand(*x.shape[:-1], -1)], -1)

    def advance(self, deter: Tensor, stoch: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', prior mean, prior std)."""
        seen = torch.tanh(self.summary(self._with_kind(pooled))).mean(-2)
        following = self.cell(torch.cat([stoch, seen], -1), deter)
        mean, std = self.prior_head(following)
        return following, mean, std

    def posterior(self, deter: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """q(z' | h', KPIs'): seen [E, N, S, P] is normalised, 0 where unknown."""
        rows = torch.cat([deter.unsqueeze(-2).expand(*seen.shape[:-1], DETER), self._with_kind(seen)], -1)
        mean, std = self.posterior_head(nn.functional.silu(self.posterior_in(rows)).mean(-2))
        return mean, std

    def decode(self, deter: Tensor, stoch: Tensor, pooled: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, std) of the normalised KPIs [E, N, S, P]."""
        context = self.context(torch.cat([deter, stoch], -1)).unsqueeze(-2)
        context = context.expand(*pooled.shape[:-1], CONTEXT_WIDTH)
        inner = nn.functional.silu(self.head_in(self._with_kind(torch.cat([pooled, context], -1))))
        mean, raw = self.head_out(inner).chunk(2, -1)
        return base + mean, 0.02 + nn.functional.softplus(raw - 1.5)

    def step(
        self, deter: Tensor, stoch: Tensor, noise: Tensor, action: Tensor, exogenous: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(h', z', kpi_mean, kpi_std) in physical units: one step of a policy in a sampled future."""
        pooled, base = self.pool(action, exogenous)
        following, mean, std = self.advance(deter, stoch, pooled)
        drawn = mean + std * noise
        return following, drawn, *self.to_physical(*self.decode(following, drawn, pooled, base))

    def to_normal(self, kpi_z: Tensor) -> tuple[Tensor, Tensor]:
        """(normalised, known flags) of observed KPIs in z (twm.core.kpis.kpi_to_z) with NaN."""
        normal = (kpi_z - self.mean) / self.std
        known = torch.isfinite(normal)
        return torch.where(known, normal, torch.zeros_like(normal)), known.to(normal.dtype)

    def to_physical(self, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
        """Median and standard deviation in physical units (twm.core.kpis)."""
        z, sigma = mean * self.std + self.mean, std * self.std
        loss = (LOSS_SCALE_RATIO * torch.expm1(z[..., 0].clamp(0, 5))).clamp(max=1.0)
        delay = torch.exp(z[..., 1].clamp(-3, 12)).clamp(min=DELAY_FLOOR_MS)
        used = z[..., 2].clamp(0, 1)
        served = torch.expm1(z[..., 3].clamp(0, 16))
        value = torch.stack([loss, delay, used, served], -1)
        slope = torch.stack([loss + LOSS_SCALE_RATIO, delay, torch.ones_like(used), 1.0 + served], -1)
        return value, sigma * slope
