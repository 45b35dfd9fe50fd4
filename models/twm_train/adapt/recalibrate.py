"""The light way to adapt: a shift of every slice KPI in z behind the graph's output. Works for any dynamics model.

Shape suffixes: N forecasts, O observed steps, S slices, P KPIs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from twm.core.errors import ModelMismatchError
from twm.core.kpis import DELAY_FLOOR_MS, KPI_NAMES, LOSS_SCALE_RATIO

# In z the KPIs are log(x + offset), but for the utilisation, which is as it is.
_OFFSET_P = np.array([LOSS_SCALE_RATIO, 0.0, 0.0, 1.0], np.float32)
_LOG_P = np.array([True, True, False, True])
_LEAST_P = np.array([0.0, DELAY_FLOOR_MS, 0.0, 0.0], np.float32)
_MOST_P = np.array([1.0, 1e9, 1.0, 1e9], np.float32)
SHIFT_MAX = 2.0
"""Largest shift [z]: more than that is not a calibration."""


def fit_shift(residual_NSP: NDArray[np.float64], blocks: float) -> NDArray[np.float64]:
    """Shift [S, P] from residuals in z (NaN where not measured), drawn towards 0 as `blocks` independent horizons allow."""
    known = np.isfinite(residual_NSP).sum(0)
    filled = np.where(known > 0, residual_NSP, 0.0)
    shift = np.where(known > 0, np.nanmedian(filled, 0), 0.0)
    return np.clip(shift * blocks / (blocks + 2.0), -SHIFT_MAX, SHIFT_MAX)


def shifted_graph(path: Path, shift_SP: NDArray[np.float64]) -> bytes:
    """The controllable step of `path` with its KPIs shifted in z; deviations keep their size in z."""
    proto = onnx.load(path)
    graph = proto.graph
    names = {output.name for output in graph.output}
    if not {"kpi_mean", "kpi_std"} <= names or shift_SP.shape[1:] != (len(KPI_NAMES),):
        raise ModelMismatchError(f"{path}: outputs {sorted(names)}, expected kpi_mean and kpi_std")
    count = sum(node.output[0].startswith("shifted_") for node in graph.node if node.output)
    tag = f"shifted_{count}_"
    for node in graph.node:
        for i, name in enumerate(node.output):
            if name in ("kpi_mean", "kpi_std"):
                node.output[i] = tag + name
        for i, name in enumerate(node.input):
            if name in ("kpi_mean", "kpi_std"):
                node.input[i] = tag + name
    factor = np.where(_LOG_P, np.exp(shift_SP), 1.0).astype(np.float32)
    # (x + offset) * factor - offset where z is a logarithm, x + shift where it is not
    addend = np.where(_LOG_P, _OFFSET_P * factor - _OFFSET_P, shift_SP).astype(np.float32)
    for name, value in (("factor", factor), ("addend", addend), ("least", _LEAST_P), ("most", _MOST_P)):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), tag + name))
    graph.node.extend(
        [
            helper.make_node("Mul", [tag + "kpi_mean", tag + "factor"], [tag + "scaled"]),
            helper.make_node("Add", [tag + "scaled", tag + "addend"], [tag + "moved"]),
            helper.make_node("Max", [tag + "moved", tag + "least"], [tag + "floored"]),
            helper.make_node("Min", [tag + "floored", tag + "most"], ["kpi_mean"]),
            helper.make_node("Mul", [tag + "kpi_std", tag + "factor"], ["kpi_std"]),
        ]
    )
    onnx.checker.check_model(proto)
    return bytes(proto.SerializeToString(deterministic=True))
