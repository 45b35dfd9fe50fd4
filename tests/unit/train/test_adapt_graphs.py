"""A served graph in torch: the same numbers, gradients that work, weights that go back; and the light recalibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tiny_zoo import write_dynamics

from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.hindsight import origins
from twm.core.kpis import kpi_gaussian, kpi_to_z
from twm.core.network import NetworkSpec
from twm.core.paths import zoo_folder
from twm.core.zoo import find_model
from twm_train.adapt.challenger import split
from twm_train.adapt.fine_tune import TunedDynamics, TuneOptions, fine_tune, gaussian_z, windows_of
from twm_train.adapt.recalibrate import fit_shift, shifted_graph
from twm_train.adapt.shift import FIRST_STEP, shifted_run
from twm_train.adapt.torch_graph import TorchGraph


def run(data: bytes | Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(data if isinstance(data, bytes) else str(data), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def random_feeds(path: Path, free: int, seed: int = 0) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(seed)
    shapes = {i.name: [free if isinstance(d, str) else d for d in i.shape] for i in session.get_inputs()}
    return {name: generator.uniform(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("file", ["encode.onnx", "exogenous_step.onnx", "controllable_step.onnx"])
def test_the_shipped_graphs_run_alike_in_torch_and_weights_go_back(spec: NetworkSpec, file: str, tmp_path: Path) -> None:
    path = find_model(zoo_folder(), "cdwm", spec.topology_digest()).graph(file)
    graph = TorchGraph(path)
    feeds = random_feeds(path, 5)
    graph.check({k: torch.from_numpy(v) for k, v in feeds.items()})
    before = run(path, feeds)
    same = run(graph.content(), feeds)
    for name, value in before.items():
        np.testing.assert_array_equal(same[name], value)
    if not graph.tunable:  # all arithmetic, nothing learnt
        return
    outputs = graph({k: torch.from_numpy(v) for k, v in feeds.items()})
    sum(o.square().mean() for o in outputs.values()).backward()
    assert any(p.grad is not None and float(p.grad.abs().max()) > 0 for p in graph.parameters())
    with torch.no_grad():
        for parameter in graph.parameters():
            parameter.mul_(1.1)
        ours = graph({k: torch.from_numpy(v) for k, v in feeds.items()})
    moved = run(graph.content(), feeds)
    for name, value in moved.items():
        np.testing.assert_allclose(ours[name].numpy(), value, rtol=2e-3, atol=2e-3)
    assert any(np.abs(moved[name] - before[name]).max() > 1e-3 for name in before)


def test_an_unknown_operator_is_named(tmp_path: Path) -> None:
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Asinh", ["x"], ["y"])], "g", info[:1], info[1:])
    path = tmp_path / "g.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString())
    with pytest.raises(ModelMismatchError, match="operators Asinh cannot be tuned"):
        TorchGraph(path)


def test_operators_follow_onnx(tmp_path: Path) -> None:
    constants = {
        "starts": np.array([-1, 0]), "ends": np.array([-9, 3]), "axes": np.array([0, 1]), "steps": np.array([-2, 1]),
        "shape": np.array([0, -1]), "low": np.float32(-0.5), "high": np.float32(0.5), "where": np.array([[2], [0]]),
        "sizes": np.array([1, 2]), "axis1": np.array([1]), "wide": np.array([2, 1, 3]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Slice", ["x", "starts", "ends", "axes", "steps"], ["a"]),
        helper.make_node("Clip", ["a", "low", "high"], ["b"]),
        helper.make_node("Reshape", ["b", "shape"], ["c"]),
        helper.make_node("Split", ["c", "sizes"], ["d", "e"], axis=1),
        helper.make_node("GatherND", ["x", "where"], ["f"]),
        helper.make_node("ReduceMax", ["x", "axis1"], ["g"], keepdims=0),
        helper.make_node("Unsqueeze", ["c", "axis1"], ["h"]),
        helper.make_node("Expand", ["h", "wide"], ["i"]),
        helper.make_node("Concat", ["d", "e"], ["j"], axis=1),
    ]
    outputs = ("f", "g", "i", "j")
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 5])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()],
    )  # fmt: skip
    path = tmp_path / "g.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString())
    TorchGraph(path).check({"x": torch.randn(4, 5, generator=torch.Generator().manual_seed(0))})


def test_a_shift_moves_the_kpis_in_z_and_nothing_else(tmp_path: Path, spec: NetworkSpec) -> None:
    path = write_dynamics(tmp_path, spec) / "controllable_step.onnx"
    shift = np.array([[0.2, -0.1, 0.05, 0.3]] * len(spec.slices)) * np.array([[1.0], [2.0], [-1.0]])
    once = tmp_path / "once.onnx"
    once.write_bytes(shifted_graph(path, shift))
    feeds = random_feeds(path, 4)
    before, after = run(path, feeds), run(once, feeds)
    np.testing.assert_array_equal(before["next_deter"], after["next_deter"])
    mu, sigma = kpi_gaussian(before["kpi_mean"], before["kpi_std"])
    moved, spread = kpi_gaussian(after["kpi_mean"], after["kpi_std"])
    inside = (after["kpi_mean"] > 1e-6) & (before["kpi_mean"] > 1e-6) & (after["kpi_mean"][..., [0, 1, 2, 3]] < 1e9)
    expected = np.broadcast_to(shift, mu.shape)
    np.testing.assert_allclose((moved - mu)[inside], expected[inside], atol=2e-3)
    np.testing.assert_allclose(spread[inside], sigma[inside], rtol=2e-2)
    twice = run(shifted_graph(once, -shift), feeds)
    np.testing.assert_allclose(twice["kpi_mean"][inside], before["kpi_mean"][inside], rtol=1e-3, atol=1e-4)


def test_a_shift_is_drawn_towards_none_where_little_was_seen() -> None:
    residual = np.full((40, 2, 4), 0.5) + 0.01 * np.random.default_rng(0).standard_normal((40, 2, 4))
    residual[:, 1, 2] = np.nan
    little, much = fit_shift(residual, 1.0), fit_shift(residual, 20.0)
    assert little[1, 2] == much[1, 2] == 0
    assert 0.1 < little[0, 0] < 0.2
    assert 0.4 < much[0, 0] < 0.5


def test_z_in_torch_is_z_in_numpy() -> None:
    generator = np.random.default_rng(0)
    mean = np.stack(
        [generator.uniform(0, 0.5, 20), generator.uniform(1, 90, 20), generator.random(20), 50 * generator.random(20)], -1
    )
    std = 0.2 * mean + 0.01
    mu, sigma = gaussian_z(torch.tensor(mean), torch.tensor(std))
    expected = kpi_gaussian(mean, std)
    np.testing.assert_allclose(mu.numpy(), expected[0], rtol=1e-6)
    np.testing.assert_allclose(sigma.numpy(), np.maximum(expected[1], 0.02), rtol=1e-6)


def test_a_shifted_run_shifts_and_forecasts_are_split_in_time(spec: NetworkSpec) -> None:
    h = spec.timing.horizon_steps
    frames = shifted_run(spec, seed=0xB7100, scenario="wave-id", horizons_before=6, horizons_after=6, factor=2.0)
    assert [frame.step for frame in frames] == list(range(FIRST_STEP, FIRST_STEP + 12 * h))
    offered = np.array([np.nansum(frame.cell_slice_feature("offered_mbps")) for frame in frames])
    assert 1.6 < offered[7 * h :].mean() / offered[: 6 * h].mean() < 2.6
    found = origins(frames, 8, spec)
    assert len(found) == 12 * h - 3 - 9  # half a window before, three quarters of a horizon after
    at = found[5]
    np.testing.assert_allclose(at.policy.prb_share_KHCS[0, 0], frames[9].cell_slice_feature("prb_share"), atol=1e-6)
    assert at.seen_OSP.shape == (h, len(spec.slices), 4)
    parts = split(found, h)
    for earlier, later in ((parts.fit, parts.choice), (parts.choice, parts.held_out)):
        assert earlier[-1].step + h <= later[0].step
    with pytest.raises(InvalidInputError, match="forecasts can be checked"):
        split(found[: 7 * h], h)


def test_tuning_lowers_the_loss_and_keeps_the_best(spec: NetworkSpec) -> None:
    frames = shifted_run(spec, seed=0xB7101, scenario="hotspot-id", horizons_before=1, horizons_after=6, factor=1.6)
    entry = find_model(zoo_folder(), "cdwm", spec.topology_digest())
    found = origins(frames[spec.timing.horizon_steps :], entry.card.window, spec)
    windows = windows_of(found, entry.card.window, spec)
    assert np.isfinite(windows.kpi_z.numpy()).mean() > 0.9
    truth = kpi_to_z(found[3].seen_OSP)
    np.testing.assert_allclose(windows.kpi_z[3].numpy(), truth, rtol=1e-5)
    model = TunedDynamics(entry.folder)
    model.check(windows.history[0])
    options = TuneOptions(steps=4, batch=2, look_every=2, look_windows=3)
    some = torch.arange(len(found))
    assert sum(graph.tunable for graph in model.graphs.values()) > 1000
    before, after = fine_tune(model, windows.take(some[:40]), windows.take(some[-12:]), options, seed=0)
    assert after < before
    assert TorchGraph(entry.graph("encode.onnx")).content() != model.encode.content()
