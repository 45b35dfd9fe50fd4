"""The actor as one ONNX graph, contract "actor/1": history, shares in force, saving wanted -> policies, one from each head.

The graph holds the exogenous part of the world model too: its noise-free futures are what the actor expects.

Shape suffixes: M heads, W history frames, D_h history columns, H horizon steps, A action columns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from twm.core.features import HistoryLayout
from twm.core.network import NetworkSpec
from twm.core.zoo import GraphSpec
from twm_train.actor import MAX_SAVING, Actor
from twm_train.exogenous import ExogenousModel
from twm_train.imagination import begin, expected
from twm_train.onnx_file import Named, write_graph

FILE = "actor.onnx"


class ActorGraph(nn.Module):
    """What is exported."""

    def __init__(self, actor: Actor, exogenous: ExogenousModel) -> None:
        super().__init__()
        self.actor, self.exogenous = actor, exogenous

    def forward(self, history: Tensor, running: Tensor, saving: Tensor) -> Tensor:
        """policy [M, H, A] from history [W, D_h], running [A] and saving [1]."""
        rows = history.unsqueeze(0)
        forecast = expected(self.exogenous, begin(self.exogenous, rows), self.actor)
        wanted = (saving + self.actor.offsets).clamp(0.0, MAX_SAVING).unsqueeze(-1)
        return self.actor(rows, running.unsqueeze(0), wanted, forecast)


def export_actor(
    actor: Actor, exogenous: ExogenousModel, spec: NetworkSpec, folder: Path, history: np.ndarray, running: np.ndarray
) -> dict[str, GraphSpec]:
    """Write actor.onnx; returns its card entry. `history` [W, D_h] and `running` [A] are real ones, for the check.

    Raises ModelMismatchError where ONNX Runtime and torch differ.
    """
    m, a = len(actor.offsets), len(running)
    inputs: list[Named] = [
        ("history", (actor.window, HistoryLayout.of(spec).width), "physical, then known flags"),
        ("running", (a,), "share in force"),
        ("saving", (1,), "control cost to save against uniform shares, ratio"),
    ]
    outputs: list[Named] = [("policy", (m, actor.horizon, a), "share")]
    args = (torch.tensor(history), torch.tensor(running), torch.tensor([0.1]))
    return {FILE: write_graph(ActorGraph(actor, exogenous), args, inputs, outputs, folder / FILE, patterns=False)}
