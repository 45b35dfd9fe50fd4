"""The CDWM recipe with the KPIs of a trace as outputs: an ensemble of two state-space models per slice, one without actions.

As in the CDWM, the exogenous part (offered load) never receives an action, and the controllable part is fed with the action and
a sampled exogenous future (h' = GRU(h, z, .), prior p(z' | h'), posterior q(z' | h', x')). One set of weights serves all slices
of all cells: a slice is a row, and what the others do enters as their mean. The base prediction, which the network corrects, is
what the experiment showed before under shares like those ahead, drawn to its running mean where it showed little, and by a
learned part to its newest step.

Instead of a Gaussian a component has QUANTILES points and a mean: a buffer that is empty or full is no Gaussian.

Shape suffixes: E members, N windows, M samples, W history steps, H horizon steps, S slices, F inputs, D deterministic state,
Z stochastic state, P KPIs, Q points.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from twm_train.layers import StackedGru, StackedLinear, StackedMlp, StackedNormal
from twm_train.traces.steps import SCHEDULERS, TRACE_KPIS
from twm_train.traces.windows import HISTORY_FEATURES, WINDOW

P = len(TRACE_KPIS)
QUANTILES = 15
MEMORY_FEATURES, LEVEL_FEATURES = 2 * P + 1, 3 * P + 1
ACTION_FEATURES = 5 + SCHEDULERS
DETER, STOCH, HIDDEN = 48, 8, 64
SHRINK = 1.0
"""Past steps under like shares that weigh as much as the running mean."""


class TraceExogenous(nn.Module):
    """Offered load of a slice: E state-space models that see no action, neither past nor future."""

    def __init__(self, members: int, slices: int) -> None:
        super().__init__()
        self.members = members
        inputs = WINDOW * 3 + LEVEL_FEATURES + slices
        self.encoder = StackedMlp(members, (inputs, HIDDEN, DETER + STOCH), last_scale=0.5)
        self.cell = StackedGru(members, STOCH, DETER, memory=2.0)
        self.prior_head = StackedNormal(members, DETER, STOCH)
        self.posterior_in = StackedLinear(members, DETER + 1, HIDDEN)
        self.posterior_head = StackedNormal(members, HIDDEN, STOCH)
        self.decoder = StackedMlp(members, (DETER + STOCH, HIDDEN, 1), last_scale=0.2)
        self.register_buffer("place", torch.eye(slices))

    def encode(self, history: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """(h, z) [E, N, S, .] from history [E, N, W, S, F] and level [E, N, S, .]."""
        picked = history[..., [2 * P, 3 * P, 3 * P + 4]].movedim(-3, -2).flatten(-2)  # known, offered load, UEs
        place = self.place.expand(*picked.shape[:-1], -1)
        deter, stoch = self.encoder(torch.cat([picked, level, place], -1)).split((DETER, STOCH), -1)
        return torch.tanh(deter), stoch

    def advance(self, deter: Tensor, stoch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', prior mean, prior std)."""
        following = self.cell(stoch, deter)
        return following, *self.prior_head(following)

    def posterior(self, deter: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """q(z' | h', x'): seen [..., 1], 0 where unknown."""
        mean, std = self.posterior_head(nn.functional.silu(self.posterior_in(torch.cat([deter, seen], -1))))
        return mean, std

    def decode(self, deter: Tensor, stoch: Tensor, level: Tensor) -> Tensor:
        """Normalised offered load [..., 1], beside the experiment's mean throughput."""
        return level[..., :1] + self.decoder(torch.cat([deter, stoch], -1))

    def step(self, deter: Tensor, stoch: Tensor, noise: Tensor, level: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', z', offered load'): one step of a sampled future."""
        following, mean, std = self.advance(deter, stoch)
        drawn = mean + std * noise
        return following, drawn, self.decode(following, drawn, level)


class TraceControllable(nn.Module):
    """KPIs of a slice under an action in a sampled future of its offered load: E state-space models."""

    def __init__(self, members: int, slices: int) -> None:
        super().__init__()
        self.members = members
        inputs = WINDOW * HISTORY_FEATURES + LEVEL_FEATURES + slices
        self.encoder = StackedMlp(members, (inputs, HIDDEN, DETER + STOCH), last_scale=0.5)
        given = ACTION_FEATURES + MEMORY_FEATURES + P + 1 + slices
        self.pooled = StackedLinear(members, given, HIDDEN, scale=1.3)
        self.keep = StackedLinear(members, ACTION_FEATURES + 1 + slices, P, scale=0.1)
        nn.init.constant_(self.keep.bias, -2.0)
        self.cell = StackedGru(members, STOCH + HIDDEN + DETER, DETER)
        self.prior_head = StackedNormal(members, DETER, STOCH)
        self.posterior_in = StackedLinear(members, DETER + P, HIDDEN)
        self.posterior_head = StackedNormal(members, HIDDEN, STOCH)
        self.head = StackedMlp(members, (DETER + STOCH + HIDDEN + LEVEL_FEATURES, HIDDEN, P * (QUANTILES + 2)), last_scale=0.1)
        self.register_buffer("place", torch.eye(slices))

    def encode(self, history: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """(h, z) [E, N, S, .] from history [E, N, W, S, F] and level [E, N, S, .]."""
        rows = history.movedim(-3, -2).flatten(-2)
        place = self.place.expand(*rows.shape[:-1], -1)
        deter, stoch = self.encoder(torch.cat([rows, level, place], -1)).split((DETER, STOCH), -1)
        return torch.tanh(deter), stoch

    def pool(self, action: Tensor, memory: Tensor, level: Tensor, exogenous: Tensor) -> tuple[Tensor, Tensor]:
        """(inputs [..., S, HIDDEN], base [..., S, P]) of one step: action features, memory, level and offered load [..., 1]."""
        weight = torch.expm1(memory[..., -1:])
        trust = weight / (weight + SHRINK)
        base = trust * memory[..., :P] + (1.0 - trust) * level[..., :P]
        place = self.place.expand(*action.shape[:-1], -1)
        keep = torch.sigmoid(self.keep(torch.cat([action, memory[..., -1:], place], -1)))
        base = base + keep * (level[..., 2 * P : 3 * P] - base)
        given = torch.cat([action, memory, base, exogenous, place], -1)
        return nn.functional.silu(self.pooled(given)), base

    def advance(self, deter: Tensor, stoch: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(h', prior mean, prior std); the other slices of the cell enter as the mean of their states."""
        others = deter.mean(-2, keepdim=True).expand_as(deter)
        following = self.cell(torch.cat([stoch, pooled, others], -1), deter)
        return following, *self.prior_head(following)

    def posterior(self, deter: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """q(z' | h', KPIs'): seen [..., P] normalised, 0 where unknown."""
        mean, std = self.posterior_head(nn.functional.silu(self.posterior_in(torch.cat([deter, seen], -1))))
        return mean, std

    def decode(self, deter: Tensor, stoch: Tensor, pooled: Tensor, base: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
        """(mean [..., S, P], points [..., S, P, Q] in rising order), normalised."""
        raw = self.head(torch.cat([deter, stoch, pooled, level], -1)).unflatten(-1, (P, QUANTILES + 2))
        mean = base + raw[..., 0]
        steps = nn.functional.softplus(raw[..., 2:] - 1.5).cumsum(-1)
        # how far the experiment's values spread gives the points their scale
        spread = 0.05 + level[..., P : 2 * P].unsqueeze(-1)
        points = base.unsqueeze(-1) + raw[..., 1:2] + spread * (steps - steps.mean(-1, keepdim=True))
        return mean, points


def action_features(action: Tensor, before: Tensor, scheduler: Tensor, acted: Tensor, ues: Tensor) -> Tensor:
    """Features [..., S, ACTION_FEATURES] of shares, those before, schedulers [..., S, K], flag and UEs."""
    others = action.sum(-1, keepdim=True) - action
    columns = [action, before, others, action / (2 * ues).clamp(min=1.0), acted.unsqueeze(-1).expand_as(action)]
    return torch.cat([torch.stack(columns, -1), scheduler], -1)
