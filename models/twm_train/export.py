"""ONNX export of the graphs of contract "fwm/2" and "cdwm/1".

Shape suffixes: E members, J exogenous samples, N rows (candidates x samples), W history frames, D_h history columns.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from twm.core.features import FIELD_FEATURES, KPI_NAMES, HistoryLayout, exogenous_layout
from twm.core.network import NetworkSpec
from twm.core.zoo import GraphSpec
from twm_train.controllable import ControllableModel
from twm_train.exogenous import ExogenousModel
from twm_train.fwm import DEMAND_LEVELS, FIELD_LEVELS, FieldModel
from twm_train.onnx_file import Named, write_graph


class Encode(nn.Module):
    """history [W, D_h] to the starting states of both parts."""

    def __init__(self, exogenous: ExogenousModel, controllable: ControllableModel) -> None:
        super().__init__()
        self.exogenous, self.controllable = exogenous, controllable

    def forward(self, history: Tensor) -> tuple[Tensor, ...]:
        """exo_deter, exo_stoch, ctl_deter, ctl_stoch, each [E, .]."""
        rows = history.unsqueeze(0).unsqueeze(0).expand(self.exogenous.members, 1, *history.shape)
        return tuple(part.squeeze(1) for part in (*self.exogenous.encode(rows), *self.controllable.encode(rows)))


class ExogenousStep(nn.Module):
    """One step of the exogenous part: no input carries an action."""

    def __init__(self, model: ExogenousModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, deter: Tensor, stoch: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """next_deter, next_stoch, exogenous."""
        return self.model.step(deter, stoch, noise)


class ControllableStep(nn.Module):
    """One step of the controllable part."""

    def __init__(self, model: ControllableModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, deter: Tensor, stoch: Tensor, noise: Tensor, action: Tensor, exogenous: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """next_deter, next_stoch, kpi_mean, kpi_std."""
        return self.model.step(deter, stoch, noise, action.unsqueeze(0), exogenous)


def export_cdwm(
    exogenous: ExogenousModel, controllable: ControllableModel, spec: NetworkSpec, folder: Path, sample_history: np.ndarray
) -> dict[str, GraphSpec]:
    """Write the three graphs; returns their card entries. `sample_history` [W, D_h] is a real one, for the check."""
    e, w = exogenous.members, exogenous.window
    layout = exogenous_layout(spec)
    c, s, n_links = spec.sizes
    a, x, p = c * s + n_links * s, layout.width, len(KPI_NAMES)

    def state(part: ExogenousModel | ControllableModel, rows: str) -> list[Named]:
        return [
            ("deter", (e, rows, part.deter), "1"),
            ("stoch", (e, rows, part.stoch), "1"),
            ("noise", (e, rows, part.stoch), "standard normal"),
        ]

    def following(part: ExogenousModel | ControllableModel, rows: str) -> list[Named]:
        return [("next_deter", (e, rows, part.deter), "1"), ("next_stoch", (e, rows, part.stoch), "1")]

    exogenous_unit = "Mbps [C*S], bit/s/Hz at full PRB use [C], Mbps [L]"
    kpi_unit = "ratio, ms, ratio, Mbps"
    history = torch.tensor(sample_history)
    with torch.no_grad():
        start = Encode(exogenous, controllable)(history)
        generator = torch.Generator().manual_seed(0)
        draw = lambda n, part: torch.randn(e, n, part.stoch, generator=generator)
        wide = lambda part, n: part.unsqueeze(1).expand(e, n, part.shape[-1]).contiguous()
        exo_inputs = (wide(start[0], 3), wide(start[1], 3), draw(3, exogenous))
        future = ExogenousStep(exogenous)(*exo_inputs)[2]
        action = torch.rand(5, a, generator=generator) / s
        ctl_inputs = (
            wide(start[2], 5),
            wide(start[3], 5),
            draw(5, controllable),
            action,
            future[:, [0, 1, 2, 0, 1]].contiguous(),
        )
    parts = (("exo", exogenous), ("ctl", controllable))
    return {
        "encode.onnx": write_graph(
            Encode(exogenous, controllable),
            (history,),
            [("history", (w, HistoryLayout.of(spec).width), "physical, then known flags")],
            [
                (f"{name}_{kind}", (e, width), "1")
                for name, part in parts
                for kind, width in (("deter", part.deter), ("stoch", part.stoch))
            ],
            folder / "encode.onnx",
        ),
        "exogenous_step.onnx": write_graph(
            ExogenousStep(exogenous),
            exo_inputs,
            state(exogenous, "J"),
            [*following(exogenous, "J"), ("exogenous", (e, "J", x), exogenous_unit)],
            folder / "exogenous_step.onnx",
        ),
        "controllable_step.onnx": write_graph(
            ControllableStep(controllable),
            ctl_inputs,
            [*state(controllable, "N"), ("action", ("N", a), "share"), ("exogenous", (e, "N", x), exogenous_unit)],
            [
                *following(controllable, "N"),
                ("kpi_mean", (e, "N", s, p), kpi_unit),
                ("kpi_std", (e, "N", s, p), kpi_unit),
            ],
            folder / "controllable_step.onnx",
        ),
    }


class PredictField(nn.Module):
    """history [W, D_h] and the newest field features [C, F] (NaN: unknown) to quantiles; the mean over the members."""

    def __init__(self, model: FieldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, history: Tensor, newest: Tensor) -> tuple[Tensor, Tensor]:
        """field [T, Q, C, F]; demand [H, Q', C, S] in Mbps."""
        model = self.model
        forecast = model.forecast(history.expand(model.members, 1, *history.shape))
        field = model.predict_field(forecast, newest.expand(model.members, 1, *newest.shape))
        demand = torch.expm1(forecast.demand_log).clamp(min=0)
        return field.mean((0, 1)), demand.mean((0, 1))


def export_fwm(
    model: FieldModel, spec: NetworkSpec, folder: Path, history: np.ndarray, newest: np.ndarray
) -> dict[str, GraphSpec]:
    """Write fwm.onnx; returns its card entry. `history` [W, D_h] and `newest` [C, F] are real ones, for the check."""
    c, s, _ = spec.sizes
    t, f = len(model.offsets), len(FIELD_FEATURES)
    inputs: list[Named] = [
        ("history", (model.window, HistoryLayout.of(spec).width), "physical, then known flags"),
        ("newest", (c, f), "units in feature_names, NaN where unknown"),
    ]
    outputs: list[Named] = [
        ("field", (t, len(FIELD_LEVELS), c, f), "units in feature_names"),
        ("demand", (model.horizon, len(DEMAND_LEVELS), c, s), "Mbps"),
    ]
    args = (torch.tensor(history), torch.tensor(newest))
    return {"fwm.onnx": write_graph(PredictField(model), args, inputs, outputs, folder / "fwm.onnx")}
