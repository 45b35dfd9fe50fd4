"""Where a graph's time goes: kinds of work and what an input reaches, on a graph of known nodes."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from twm_bench.axes.kernels import Kernel, profile, time_shares


def graph() -> bytes:
    """`a` meets a product and an exponential, `b` a logarithm, both an addition."""
    nodes = [
        helper.make_node("MatMul", ["a", "w"], ["product"], name="product"),
        helper.make_node("Exp", ["product"], ["raised"], name="raised"),
        helper.make_node("Log", ["b"], ["logged"], name="logged"),
        helper.make_node("Add", ["raised", "logged"], ["sum"], name="sum"),
    ]
    made = helper.make_graph(
        nodes,
        "known",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 8]) for name in "ab"],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["N", 8])],
        [onnx.numpy_helper.from_array(np.full((8, 8), 0.01, np.float32), "w")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return model.SerializeToString()


def test_kernels_are_told_apart_by_what_reaches_them() -> None:
    ones = np.ones((64, 8), np.float32)
    kernels = profile(graph(), {"a": ones, "b": ones}, {"a"})
    assert {(kernel.operator, kernel.reached) for kernel in kernels} == {
        ("MatMul", True),
        ("Exp", True),
        ("Log", False),
        ("Add", True),
    }
    assert all(kernel.seconds >= 0 for kernel in kernels)


def test_the_ceiling_is_products_at_the_peak_and_the_rest_as_it_is() -> None:
    kernels = [
        Kernel(operator="MatMul", seconds=1e-3, reached=True),
        Kernel(operator="Mul", seconds=2e-3, reached=True),
        Kernel(operator="Exp", seconds=0.5e-3, reached=False),
        Kernel(operator="Concat", seconds=0.5e-3, reached=True),
    ]
    found = time_shares(kernels, flops=20e6, step_s=8e-3, one_row_s=1e-3, peak_gflops=20.0)  # products at the peak: 1 ms
    assert found["nodes"] == 4
    assert found["share_of_kernel_time"] == {
        "matrix_products": 0.25,
        "functions": 0.125,
        "reductions": 0.0,
        "moving_and_shaping": 0.125,
        "elementwise_arithmetic": 0.5,
    }
    assert found["products_alone_share_of_gemm_peak"] == pytest.approx(0.5)  # a quarter of 8 ms, 2 ms, where 1 ms would do
    assert found["ceiling_share_of_gemm_peak"] == pytest.approx(1 / 7, rel=1e-3)
    assert found["share_no_action_reaches"] == pytest.approx(0.125)
    assert found["fixed_cost_of_a_call_share"] == pytest.approx(0.125)
    assert "25 %" in found["reading"]
    assert "14 %" in found["reading"]
