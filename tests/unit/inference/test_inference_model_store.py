"""Models are found by topology, checked against their cards and swapped only for better ones; with real ONNX Runtime."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from prometheus_client import REGISTRY
from tiny_zoo import DETER, MEMBERS, TinyDynamics, dynamics_graphs, frames, write_dynamics, write_field

from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import encode_policies, uniform_policy
from twm.core.errors import ModelMismatchError
from twm.core.frames import FrameCodec
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.zoo import CARD_NAME, ModelEntry, load_card
from twm.inference.answers import Answers
from twm.inference.engine import BoundPass, CopyingPass, EngineOptions, Graph, choose_providers
from twm.inference.futures import sample_futures
from twm.inference.loading import load_dynamics, load_field
from twm.inference.model_store import ModelStore

OPTIONS = EngineOptions(intra_op_threads=1, use_cuda=False)


def go_on() -> None:
    """A check that lets the work go on."""


def entry(folder: Path) -> ModelEntry:
    return ModelEntry(folder, load_card(folder))


def reloads(model: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("twm_model_reloads_total", {"model": model, "outcome": outcome}) or 0.0


def test_onnx_equals_numpy(tmp_path: Path, spec: NetworkSpec) -> None:
    tiny = TinyDynamics(spec)
    model = load_dynamics(entry(write_dynamics(tmp_path, spec)), spec, OPTIONS).model
    assert model.sizes == tiny.sizes
    history = np.random.default_rng(0).normal(size=(tiny.sizes.window, tiny.sizes.history_width)).astype(np.float32)
    ours, theirs = (sample_futures(m, history, steps=3, samples=4, seed=1, check=go_on) for m in (model, tiny))
    np.testing.assert_allclose(ours.exogenous_HEJX, theirs.exogenous_HEJX, rtol=1e-5)
    a, b = model.controllable_pass(4), tiny.controllable_pass(4)
    action = np.random.default_rng(1).uniform(0, 0.3, a.action_NA.shape).astype(np.float32)
    for one in (a, b):
        one.reset(ours.latents.controllable_deter_EG, ours.latents.controllable_stoch_EZ)
        one.action_NA[:] = action
    for h in range(3):
        for one in (a, b):
            one.noise_ENZ[:], one.exogenous_ENX[:] = ours.noise_HEJZ[h], ours.exogenous_HEJX[h]
        for found, expected in zip(a.step(), b.step(), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_bound_and_copying_passes_agree(tmp_path: Path, spec: NetworkSpec) -> None:
    folder = write_dynamics(tmp_path, spec)
    graph = Graph(entry(folder).read_graph("controllable_step.onnx"), "controllable", OPTIONS)
    sizes = TinyDynamics(spec).sizes
    results = []
    for kind in (BoundPass, CopyingPass):
        one = kind(graph, sizes, 5)
        generator = np.random.default_rng(2)
        one.noise_ENZ[:] = generator.normal(size=one.noise_ENZ.shape)
        one.action_NA[:] = generator.uniform(size=one.action_NA.shape)
        one.exogenous_ENX[:] = generator.uniform(0, 90, one.exogenous_ENX.shape)
        for _ in range(2):  # a pass is used again after a reset
            one.reset(np.full((MEMBERS, DETER), 3.0, np.float32), np.zeros((MEMBERS, sizes.stoch), np.float32))
            steps = [tuple(np.copy(a) for a in one.step()) for _ in range(3)]
        results.append(steps)
    for bound, copied in zip(*results, strict=True):
        for x, y in zip(bound, copied, strict=True):
            np.testing.assert_array_equal(x, y)


def test_exogenous_part_is_bit_equal_under_any_action(tmp_path: Path, spec: NetworkSpec) -> None:
    model = load_dynamics(entry(write_dynamics(tmp_path, spec)), spec, OPTIONS).model
    history = np.ones((model.sizes.window, model.sizes.history_width), np.float32)
    seen = set()
    for seed in range(4):
        futures = sample_futures(model, history, steps=12, samples=2, seed=5, check=go_on)
        seen.add(futures.exogenous_HEJX.tobytes())
        one = model.controllable_pass(2)
        one.reset(futures.latents.controllable_deter_EG, futures.latents.controllable_stoch_EZ)
        one.noise_ENZ[:], one.exogenous_ENX[:] = futures.noise_HEJZ[0], futures.exogenous_HEJX[0]
        one.action_NA[:] = np.random.default_rng(seed).uniform(size=one.action_NA.shape)
        one.step()
    assert len(seen) == 1


def test_newest_version_of_the_topology_is_taken(tmp_path: Path, spec: NetworkSpec) -> None:
    other = load_network(find_network("explora-cell"))
    for version in ("tiny-2", "tiny-10", "tiny-9"):
        write_dynamics(tmp_path, spec, version=version)
    write_dynamics(tmp_path, other, version="other-99")
    write_field(tmp_path, spec)
    write_field(tmp_path, other, version="other-99")
    for network, cdwm, fwm in ((spec, "tiny-10", "tiny-1"), (other, "other-99", "other-99")):
        store = ModelStore(tmp_path, network, OPTIONS)
        assert not store.ready
        assert store.refresh()
        assert store.ready
        assert (store.dynamics.get().card.version, store.field.get().card.version) == (cdwm, fwm)
        assert not store.refresh()


def test_a_network_without_transport_rolls_out(tmp_path: Path) -> None:
    """One cell, no links, no bound on loss: sizes come from the spec alone."""
    cell = load_network(find_network("explora-cell"))
    write_dynamics(tmp_path, cell)
    write_field(tmp_path, cell)
    store = ModelStore(tmp_path, cell, OPTIONS)
    assert store.refresh()
    answers = Answers(cell, store, default_samples=4, max_rows=8, cache_capacity=2)
    codec = FrameCodec(cell)
    history = [codec.encode(frame) for frame in frames(cell, 3)]
    request = worldmodel_pb2.RolloutRequest(
        area_id=cell.area_id,
        history=history,
        policies=encode_policies(uniform_policy(cell).take([0] * 5)),
        with_trajectories=True,
    )
    answer = answers.rollout(request)
    assert len(set(answer.scm_mean)) == 1
    assert len(answer.exogenous_scenarios) == 4 * cell.timing.horizon_steps * 4
    assert len(answer.kpi_quantiles) == 5 * cell.timing.horizon_steps * len(answer.quantile_levels) * 3 * 4
    assert answers.predict_field(worldmodel_pb2.PredictFieldRequest(area_id=cell.area_id, history=history)).values


def test_empty_zoo_says_what_is_missing(tmp_path: Path, spec: NetworkSpec) -> None:
    store = ModelStore(tmp_path / "none", spec, OPTIONS)
    with pytest.raises(ModelMismatchError, match="not loaded yet"):
        store.dynamics.get()
    assert not store.refresh()
    with pytest.raises(ModelMismatchError, match=f"no usable cdwm for topology_digest {spec.topology_digest()[:12]}"):
        store.dynamics.get()


def test_reload_swaps_and_refuses_and_rolls_back(tmp_path: Path, spec: NetworkSpec) -> None:
    write_dynamics(tmp_path, spec, version="tiny-1")
    store = ModelStore(tmp_path, spec, OPTIONS)
    assert store.refresh()
    first = store.dynamics.get()
    refused, loaded = reloads("cdwm", "refused"), reloads("cdwm", "loaded")

    bad = write_dynamics(tmp_path, spec, version="tiny-2")
    graph = bad / "encode.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"\x00")
    assert not store.refresh()
    assert store.dynamics.get() is first
    assert reloads("cdwm", "refused") == refused + 1
    assert not store.refresh()  # not tried again
    assert reloads("cdwm", "refused") == refused + 1

    write_dynamics(tmp_path, spec, version="tiny-3", scale=2.0)
    assert store.refresh()
    third = store.dynamics.get()
    assert third.card.version == "tiny-3"
    assert reloads("cdwm", "loaded") == loaded + 1
    labels = {"model": "cdwm", "version": "tiny-3", "digest": third.card.digest}
    assert REGISTRY.get_sample_value("twm_model_info", labels) == 1
    assert REGISTRY.get_sample_value("twm_model_info", {**labels, "version": "tiny-1", "digest": first.card.digest}) is None

    write_dynamics(tmp_path, spec, version="tiny-3", scale=3.0)  # same name, other weights
    assert store.refresh()
    assert store.dynamics.get().card.digest != third.card.digest

    shutil.rmtree(tmp_path / "cdwm" / "tiny-3")  # rolled back by removal; tiny-2 is still bad
    assert store.refresh()
    assert store.dynamics.get().card.version == "tiny-1"

    shutil.rmtree(tmp_path / "cdwm")  # what is in use stays
    assert not store.refresh()
    assert store.dynamics.get().card.version == "tiny-1"


def test_cold_start_falls_back_to_the_older_good_version(tmp_path: Path, spec: NetworkSpec) -> None:
    write_dynamics(tmp_path, spec, version="tiny-1")
    (write_dynamics(tmp_path, spec, version="tiny-2") / "exogenous_step.onnx").unlink()
    (write_dynamics(tmp_path, spec, version="tiny-3") / CARD_NAME).write_text("name: [", encoding="utf-8")
    store = ModelStore(tmp_path, spec, OPTIONS)
    assert store.refresh()
    assert store.dynamics.get().card.version == "tiny-1"


def correction(*shares: float) -> dict[str, object]:
    """Of a card; shares of an interval of 0.1, 0.2 ... for every slice's KPI."""
    return {
        "level": 0.9,
        "factor": np.ones((12, 3, 4)).tolist(),
        "floor": np.zeros((3, 4)).tolist(),
        "nominal": tuple(0.1 * (i + 1) for i in range(len(shares))),
        "share": [np.full((3, 4), share).tolist() for share in shares],
    }


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"horizon_steps": 3}, "horizon_steps: found 3, expected 12"),
        ({"frame_schema": "kpi-frame/9"}, "frame_schema"),
        ({"topology_digest": "0" * 64}, "topology_digest"),
        ({"members": 2}, r"encode.onnx.exo_deter: shape \[3, 6\], expected \[2, 6\]"),
        ({"window": 9}, r"encode.onnx.history: shape \[5, .*expected \[9"),
        ({"kpi_names": ("loss_ratio",)}, "kpi_names"),
        ({"conformal": {"level": 0.9, "factor": [[[1.0]]], "floor": [[0.0]]}}, "conformal: shapes"),
        ({"conformal": {"level": 0.9, "factor": [[[1.0], [1.0, 2.0]]], "floor": [[0.0]]}}, "conformal: ragged"),
        ({"conformal": correction() | {"factor": np.full((12, 3, 4), np.nan).tolist()}}, "conformal: negative or not finite"),
        ({"conformal": correction(0.5, -0.1)}, "conformal: negative"),
        ({"conformal": correction(0.5, 0.4)}, "conformal: share falls"),
        ({"conformal": correction(0.5) | {"nominal": (0.5,), "share": [[[0.5]]]}}, "conformal: shapes"),
    ],
)
def test_card_and_graph_must_agree(tmp_path: Path, spec: NetworkSpec, more: dict[str, object], message: str) -> None:
    folder = write_dynamics(tmp_path, spec, **more)
    with pytest.raises(ModelMismatchError, match=message):
        load_dynamics(entry(folder), spec, OPTIONS)


def _rename(model: onnx.ModelProto) -> None:
    model.graph.output[3].name = "surprise"
    model.graph.node[4].output[0] = "surprise"


def _forget(model: onnx.ModelProto) -> None:
    del model.graph.output[0]


def _retype(model: onnx.ModelProto) -> None:
    model.graph.node[4].output[0] = "as_float"
    model.graph.node.append(helper.make_node("Cast", ["as_float"], ["ctl_stoch"], to=TensorProto.DOUBLE))
    model.graph.output[3].type.tensor_type.elem_type = TensorProto.DOUBLE


def _poison(model: onnx.ModelProto) -> None:
    constant = next(i for i in model.graph.initializer if i.name == "member")
    values = np.full((MEMBERS, DETER), np.nan, np.float32)
    constant.CopyFrom(onnx.numpy_helper.from_array(values, "member"))


def _garbage(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "NoSuchOperator"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_rename, "no output 'ctl_stoch'.*'surprise'"),
        (_forget, "no output 'exo_deter'"),
        (_retype, r"ctl_stoch: type tensor\(double\), expected tensor\(float\)"),
        (_poison, "not finite"),
        (_garbage, "ONNX Runtime refuses it"),
    ],
)
def test_graphs_that_break_the_seam_are_refused(
    tmp_path: Path, spec: NetworkSpec, damage: Callable[[onnx.ModelProto], None], message: str
) -> None:
    graphs = dynamics_graphs(TinyDynamics(spec))
    model = onnx.load_from_string(graphs["encode.onnx"])
    damage(model)
    folder = write_dynamics(tmp_path, spec, replace={"encode.onnx": model.SerializeToString()})
    with pytest.raises(ModelMismatchError, match=message):
        load_dynamics(entry(folder), spec, OPTIONS)


def test_field_model_must_fit_its_card(tmp_path: Path, spec: NetworkSpec) -> None:
    good = load_field(entry(write_field(tmp_path, spec)), spec, OPTIONS)
    assert good.card.step_offsets == (0, 1)
    for version, more, message in (
        ("tiny-2", {"step_offsets": (0, 1, 2)}, r"field: shape \[2, 3, 10, 12\], expected \[3, 3, 10, 12\]"),
        ("tiny-3", {"feature_names": ("a",)}, "feature_names"),
        ("tiny-4", {"value": float("nan")}, "not finite"),
    ):
        with pytest.raises(ModelMismatchError, match=message):
            load_field(entry(write_field(tmp_path, spec, version=version, **more)), spec, OPTIONS)


def test_provider_choice() -> None:
    assert choose_providers(False) == ["CPUExecutionProvider"]
    assert choose_providers(True)[-1] == "CPUExecutionProvider"


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu(tmp_path: Path, spec: NetworkSpec) -> None:
    """Where onnxruntime-gpu and a device are there: chosen, run through copying passes, same numbers but for rounding."""
    folder = write_dynamics(tmp_path, spec)
    if not Graph(entry(folder).read_graph("encode.onnx"), "probe", EngineOptions(use_cuda=True)).on_cuda:
        pytest.skip("no CUDA provider or no device here")
    steps = []
    for use_cuda in (False, True):
        model = load_dynamics(entry(folder), spec, EngineOptions(use_cuda=use_cuda)).model
        one = model.controllable_pass(3)
        assert isinstance(one, CopyingPass if use_cuda else BoundPass)
        one.reset(np.ones((MEMBERS, DETER), np.float32), np.zeros((MEMBERS, model.sizes.stoch), np.float32))
        one.noise_ENZ[:], one.action_NA[:], one.exogenous_ENX[:] = 0.5, 0.2, 70.0
        steps.append([np.copy(one.step()[0]) for _ in range(3)])
    np.testing.assert_allclose(steps[1], steps[0], rtol=1e-3, atol=1e-4)
