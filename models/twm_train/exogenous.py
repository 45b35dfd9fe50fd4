"""Exogenous part of the CDWM: demand, action-free spectral efficiency and link capacity. It never receives an action.

A recurrent state-space model (Hafner et al. 2019, "PlaNet") with deterministic state h and stochastic state z:
h' = GRU(h, z), prior p(z' | h'), posterior q(z' | h', x'), decoder x' = f(h', z').

Shape suffixes: E members, N rows, W history frames, D_x exogenous columns, C cells, S slices, L links.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twm.core.features import FAST_POOLED, ExogenousLayout, HistoryLayout, exogenous_layout
from twm.core.frames import CELL_SLICE_FEATURES, LINK_FEATURES
from twm.core.network import NetworkSpec
from twm_train.layers import StackedGru, StackedLinear, StackedMlp, StackedNormal
from twm_train.normalise import CLIP, ColumnScaler, coupling_factor

DETER, STOCH = 96, 32
LINK_SPREAD = 0.25
"""Link capacity is normalised as (capacity / nominal - 1) / LINK_SPREAD."""
Float = NDArray[np.float32]


def history_index(layout: HistoryLayout, picks: dict[str, tuple[int, ...]]) -> NDArray[np.int64]:
    """Columns of the named features (last axis) of blocks, flattened."""
    parts = []
    for name, features in picks.items():
        columns, shape = layout.blocks[name]
        grid = np.arange(columns.start, columns.stop).reshape(shape)
        parts.append(grid[..., list(features)].reshape(-1))
    return np.concatenate(parts).astype(np.int64)


def exogenous_columns(layout: HistoryLayout) -> NDArray[np.int64]:
    """History columns the exogenous encoder looks at besides the exogenous state: nothing that a policy sets."""
    cs = CELL_SLICE_FEATURES.index
    return history_index(
        layout,
        {
            "cell_slice": (cs("active_ues"),),
            "fast": (FAST_POOLED.index("offered_std_mbps"), FAST_POOLED.index("offered_max_mbps")),
        },
    )


class ExogenousModel(nn.Module):
    """Ensemble of E exogenous state-space models."""

    def __init__(
        self,
        spec: NetworkSpec,
        members: int,
        window: int,
        scaler: ColumnScaler,
        mean_X: Float,
        std_X: Float,
        coupling_UC: Float,
        *,
        hidden: int = 96,
    ) -> None:
        super().__init__()
        history, self.layout = HistoryLayout.of(spec), exogenous_layout(spec)
        self.members, self.window, self.value_count = members, window, history.value_count
        self.scaler = scaler
        columns = exogenous_columns(history)
        c, s, n_links = spec.sizes
        self.register_buffer("columns", torch.tensor(columns))
        self.register_buffer("event_columns", torch.arange(history.blocks["events"][0].start, history.blocks["events"][0].stop))
        cs = CELL_SLICE_FEATURES.index
        self.register_buffer("share_columns", torch.tensor(history_index(history, {"cell_slice": (cs("prb_share"),)})))
        self.register_buffer("se_columns", torch.tensor(history_index(history, {"cell": (0,)})))
        self.register_buffer("demand_columns", torch.tensor(history_index(history, {"cell_slice": (cs("offered_mbps"),)})))
        both = (LINK_FEATURES.index("capacity_mbps"), LINK_FEATURES.index("up_ratio"))
        self.register_buffer("link_columns", torch.tensor(history_index(history, {"link": both})))
        self.register_buffer("mean", torch.tensor(mean_X))
        self.register_buffer("std", torch.tensor(std_X))
        self.register_buffer("coupling", torch.tensor(coupling_UC))
        self.register_buffer("nominal", torch.tensor(spec.topology().link_capacity_mbps, dtype=torch.float32))
        self.sizes = (c, s, n_links)
        per_frame = len(columns) + self.layout.width
        self.encoder = StackedMlp(
            members, (window * per_frame + len(self.event_columns), hidden, DETER + STOCH), last_scale=0.5
        )
        self.keep = StackedLinear(members, 2 * self.layout.width, DETER)
        self.cell = StackedGru(members, STOCH, DETER, memory=3.0)
        self.prior_head = StackedNormal(members, DETER, STOCH)
        self.posterior_head = nn.ModuleList(
            [StackedLinear(members, DETER + self.layout.width, hidden), StackedNormal(members, hidden, STOCH)]
        )
        self.decoder = StackedMlp(members, (DETER + STOCH, hidden, self.layout.width), last_scale=0.3)
        self.direct = StackedLinear(members, DETER + STOCH, self.layout.width, scale=0.3)
        self._start_at_persistence()
        self.log_noise = nn.Parameter(torch.full((members, 1, self.layout.width), -1.0))

    def _start_at_persistence(self) -> None:
        """Untrained, a forecast is the mean of the newest state and the window's average, carried through h."""
        with torch.no_grad():
            for member in range(self.members):
                basis = torch.linalg.qr(torch.randn(max(self.layout.width, DETER), min(self.layout.width, DETER)))[0]
                basis = basis if self.layout.width >= DETER else basis.T
                self.keep.weight[member] = torch.cat([basis, basis]) * 0.5
                self.direct.weight[member, :DETER] = basis.T

    def encode(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """(h, z) [E, N, .] from histories [E, N, W, D_h]."""
        values, known = history.split(self.value_count, -1)
        scaled = self.scaler(values, known)
        seen, flag = self.observe(values, known)
        newest = seen[..., -1, :]
        average = seen.sum(-2) / flag.sum(-2).clamp(min=1.0)
        rows = torch.cat([scaled[..., self.columns], seen], -1).flatten(-2)
        state = self.encoder(torch.cat([rows, scaled[..., -1, :][..., self.event_columns]], -1))
        deter, stoch = state.split((DETER, STOCH), -1)
        return torch.tanh(deter) + self.keep(torch.cat([newest, average], -1)), stoch

    def observe(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """(normalised exogenous state, flags) [..., D_x] in history rows: SE as it would be with all PRBs in use.

        For that the recorded past shares are taken out of what was seen of SE (an even split where they are missing).
        """
        c, s, n_links = self.sizes
        share, share_known = values[..., self.share_columns], known[..., self.share_columns]
        used = torch.where(share_known > 0, share, torch.full_like(share, 1.0 / s)).unflatten(-1, (c, s)).sum(-1)
        log_se = torch.log(values[..., self.se_columns].clamp(min=1e-3)) - coupling_factor(used, self.coupling)
        raw = [torch.log1p(values[..., self.demand_columns].clamp(min=0)), log_se]
        flags = [known[..., self.demand_columns], known[..., self.se_columns]]
        if n_links:
            capacity, up = values[..., self.link_columns].unflatten(-1, (n_links, 2)).unbind(-1)
            capacity_known, up_known = known[..., self.link_columns].unflatten(-1, (n_links, 2)).unbind(-1)
            raw.append(capacity * torch.where(up_known > 0, up, torch.ones_like(up)) / self.nominal)
            flags.append(capacity_known)
        flag = torch.cat(flags, -1)
        return ((torch.cat(raw, -1) - self.mean) / self.std).clamp(-CLIP, CLIP) * flag, flag

    def advance(self, deter: Tensor, stoch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', prior mean, prior std)."""
        following = self.cell(stoch, deter)
        mean, std = self.prior_head(following)
        return following, mean, std

    def posterior(self, deter: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """q(z' | h', x'): seen is normalised, 0 where unknown."""
        first, head = self.posterior_head
        mean, std = head(nn.functional.silu(first(torch.cat([deter, seen], -1))))
        return mean, std

    def decode(self, deter: Tensor, stoch: Tensor) -> Tensor:
        """Normalised exogenous state [E, N, D_x]."""
        state = torch.cat([deter, stoch], -1)
        return self.decoder(state) + self.direct(state)

    def step(self, deter: Tensor, stoch: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', z', exogenous' in physical units): one step of a sampled future."""
        following, mean, std = self.advance(deter, stoch)
        drawn = mean + std * noise
        return following, drawn, self.to_physical(self.decode(following, drawn))

    def to_normal(self, exogenous: Tensor, share_C: Tensor) -> tuple[Tensor, Tensor]:
        """(normalised, known flags) of observed states [..., D_x] with NaN, seen under summed PRB shares [..., C]."""
        demand, se, link = exogenous.split((self.sizes[0] * self.sizes[1], self.sizes[0], self.sizes[2]), -1)
        log_se = torch.log(se.clamp(min=1e-3)) - coupling_factor(share_C, self.coupling)
        raw = torch.cat([torch.log1p(demand.clamp(min=0)), log_se, link / self.nominal], -1)
        normal = (raw - self.mean) / self.std
        known = torch.isfinite(normal) & torch.isfinite(exogenous)
        return torch.where(known, normal.clamp(-CLIP, CLIP), torch.zeros_like(normal)), known.to(normal.dtype)

    def to_physical(self, normal: Tensor) -> Tensor:
        """Physical units: Mbps, bit/s/Hz at full PRB use, Mbps."""
        c, s, n_links = self.sizes
        raw = normal.clamp(-CLIP - 2, CLIP + 2) * self.std + self.mean
        parts = [torch.expm1(raw[..., : c * s]).clamp(min=0), torch.exp(raw[..., c * s : c * s + c])]
        if n_links:
            parts.append(raw[..., c * s + c :].clamp(0, 1) * self.nominal)
        return torch.cat(parts, -1)


def exogenous_statistics(layout: ExogenousLayout, exogenous_NX: Float, log_factor_NC: Float) -> tuple[Float, Float]:
    """(mean, std) [D_x] of the transformed training states."""
    demand, se, _ = layout.split(exogenous_NX)
    with np.errstate(invalid="ignore"):
        logs = np.concatenate([np.log1p(demand).reshape(len(demand), -1), np.log(np.maximum(se, 1e-3)) - log_factor_NC], -1)
    known = np.isfinite(logs)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, logs, 0).sum(0) / count
    std = np.maximum(np.sqrt((np.where(known, logs - mean, 0) ** 2).sum(0) / count), 1e-2)
    ones = np.ones(layout.links)
    return np.concatenate([mean, ones]).astype(np.float32), np.concatenate([std, LINK_SPREAD * ones]).astype(np.float32)
