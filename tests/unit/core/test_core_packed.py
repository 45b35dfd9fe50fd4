"""Packed columns: the same message as value by value, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.packed import extend_packed


@pytest.mark.parametrize("count", [0, 1, 31, 32, 5000])
def test_equals_extend(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(count, 2))
    expected = worldmodel_pb2.RolloutResponse()
    expected.kpi_quantiles.extend(values.astype(np.float32).reshape(-1).tolist())
    message = worldmodel_pb2.RolloutResponse()
    extend_packed(message, "kpi_quantiles", values)
    assert message == expected
    extend_packed(message, "kpi_quantiles", values)
    assert len(message.kpi_quantiles) == 4 * count


def test_not_contiguous_is_row_major() -> None:
    message = worldmodel_pb2.RolloutResponse()
    extend_packed(message, "scm_mean", np.arange(6, dtype=np.float32).reshape(2, 3).T)
    assert list(message.scm_mean) == [0, 3, 1, 4, 2, 5]


@pytest.mark.parametrize("name", ["nothing", "sample_count"])
def test_refuses_other_fields(name: str) -> None:
    with pytest.raises(KeyError):
        extend_packed(worldmodel_pb2.RolloutResponse(), name, np.ones(3))
