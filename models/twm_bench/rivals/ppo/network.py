"""The policy network in torch, for training: weights shared over cells and over links.

`twm_bench.rivals.ppo.method.forward` plays it without torch.

Shape suffixes: B batch, R rows (cells or links), D columns.
"""

from __future__ import annotations

from typing import Any

import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor, nn

from twm_bench.rivals.ppo.observation import ObservationLayout

HIDDEN = 48
KINDS = ("cell", "link")


class RowNetwork(nn.Module):
    """Rows are embedded with what is seen over all, told the mean of all rows, then read out."""

    def __init__(self, layout: ObservationLayout, outputs: int) -> None:
        super().__init__()
        self.layout = layout
        counts = {"cell": layout.cells, "link": layout.links}
        widths = {"cell": layout.cell_width, "link": layout.link_width}
        for kind in KINDS:
            part = nn.Module()
            part.first = nn.Linear(widths[kind] + layout.global_width, HIDDEN, bias=False)
            # A bias for each row stands for what distinguishes it.
            part.bias = nn.Parameter(0.3 * torch.randn(counts[kind], HIDDEN))
            part.context = nn.Linear(len(KINDS) * HIDDEN, HIDDEN)
            part.second = nn.Linear(HIDDEN, HIDDEN, bias=False)
            if outputs:
                part.out = nn.Linear(HIDDEN, outputs)
                nn.init.zeros_(part.out.weight)
                nn.init.zeros_(part.out.bias)
            self.add_module(kind, part)

    def forward(self, observation_BD: Tensor) -> Tensor:
        """[B, (C + L) outputs], or the rows' means [B, 2 HIDDEN] where there are no outputs."""
        at, end = (
            self.layout.cells * self.layout.cell_width,
            self.layout.cells * self.layout.cell_width + self.layout.links * self.layout.link_width,
        )
        over_all = observation_BD[:, end:]
        hidden = []
        for kind, flat, width in (
            ("cell", observation_BD[:, :at], self.layout.cell_width),
            ("link", observation_BD[:, at:end], self.layout.link_width),
        ):
            part: Any = getattr(self, kind)
            # One product for the rows and one for what they share.
            rows = flat.reshape(len(flat), -1, width) @ part.first.weight[:, :width].T
            shared = over_all @ part.first.weight[:, width:].T
            hidden.append(torch.tanh(rows + shared[:, None] + part.bias))
        mean = torch.cat([h.mean(1) for h in hidden], -1)
        out = []
        for kind, h in zip(KINDS, hidden, strict=True):
            part = getattr(self, kind)
            second = torch.tanh(part.second(h) + part.context(mean)[:, None])
            out.append(part.out(second).flatten(1) if hasattr(part, "out") else second.mean(1))
        return torch.cat(out, -1)


class _Extractor(nn.Module):
    """Actor and critic, as ActorCriticPolicy wants them."""

    def __init__(self, layout: ObservationLayout) -> None:
        super().__init__()
        self.actor = RowNetwork(layout, layout.slices)
        self.critic = nn.Sequential(RowNetwork(layout, 0), nn.Linear(2 * HIDDEN, HIDDEN), nn.Tanh())
        self.latent_dim_pi = (layout.cells + layout.links) * layout.slices
        self.latent_dim_vf = HIDDEN

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        return self.actor(features), self.critic(features)

    def forward_actor(self, features: Tensor) -> Tensor:
        return self.actor(features)  # type: ignore[no-any-return]

    def forward_critic(self, features: Tensor) -> Tensor:
        return self.critic(features)  # type: ignore[no-any-return]


class RowPolicy(ActorCriticPolicy):
    """Actor-critic whose actor is a RowNetwork. It begins with corrections of 0: as the reactive rule."""

    def __init__(self, *args: Any, layout: ObservationLayout, **kwargs: Any) -> None:
        self._layout = layout
        super().__init__(*args, ortho_init=False, **kwargs)

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = _Extractor(self._layout)  # type: ignore[assignment]

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)
