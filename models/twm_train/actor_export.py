"""The actor as one ONNX graph, contract "actor/1": history, shares in force, saving wanted -> policies, one from each head.

The graph holds the exogenous part of the world model too: its noise-free futures are what the actor expects.

Shape suffixes: M heads, W history frames, D_h history columns, H horizon steps, A action columns.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx_ir.passes.common import CommonSubexpressionEliminationPass
from onnxscript import optimizer
from torch import Tensor, nn

from twm.core.errors import ModelMismatchError
from twm.core.features import HistoryLayout
from twm.core.network import NetworkSpec
from twm.core.zoo import GraphSpec, TensorSpec
from twm_train.actor import MAX_SAVING, Actor
from twm_train.exogenous import ExogenousModel
from twm_train.export import OPSET, check_graph
from twm_train.imagination import begin, expected

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
    graph = ActorGraph(actor, exogenous).eval()
    inputs = {"history": torch.tensor(history), "running": torch.tensor(running), "saving": torch.tensor([0.1])}
    level = logging.getLogger("torch.onnx").level
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            graph,
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=["policy"],
            opset_version=OPSET,
            optimize=False,  # its search for patterns takes longer than all the rest: only what pays is done below
            verbose=False,
        )
        logging.getLogger("torch.onnx").setLevel(level)
    path = folder / FILE
    if program is None:
        raise ModelMismatchError(f"{path}: export gave no program")
    for _ in range(2):  # types known after the first pass let the second drop casts
        optimizer.fold_constants(program.model)
        CommonSubexpressionEliminationPass()(program.model)
        optimizer.remove_unused_nodes(program.model)
    proto = program.model_proto
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.graph.value_info[:]
    proto.doc_string = ""
    onnx.checker.check_model(proto)
    data = proto.SerializeToString(deterministic=True)
    path.write_bytes(data)
    check_graph(path, graph, inputs, ["policy"])
    m, a = len(actor.offsets), len(running)
    tensors = lambda *named: tuple(TensorSpec(name=n, shape=shape, unit=unit) for n, shape, unit in named)
    return {
        FILE: GraphSpec(
            sha256=hashlib.sha256(data).hexdigest(),
            inputs=tensors(
                ("history", (actor.window, HistoryLayout.of(spec).width), "physical, then known flags"),
                ("running", (a,), "share in force"),
                ("saving", (1,), "control cost to save against uniform shares, ratio"),
            ),
            outputs=tensors(("policy", (m, actor.horizon, a), "share")),
        )
    }
