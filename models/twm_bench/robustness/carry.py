"""One set of weights on another network: the zoo's models, carried over the graph structure of cells, links and routing.

Weights are read from the zoo's graphs by the names they had in training. What an export folds away (kernels over relative
positions, a few small layers) lies beside this file, by version of the source; carried to the source's own network, all
together must give what the zoo's graphs give, or it is refused. Nothing is trained for the other network. A network's own
constants (interference coupling of its cells, load of its links, levels where nothing is reported, where its data lie) are
measured in frames recorded there; place vectors of single cells are left out.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from twm.core import ood
from twm.core.errors import ModelMismatchError, TwmError
from twm.core.features import HistoryLayout
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm.core.zoo import DataCard, ModelCard, ModelEntry, find_model, write_card
from twm_train import export
from twm_train.build import build_controllable, build_field, fit_exogenous
from twm_train.controllable import ControllableModel
from twm_train.data import SCENARIOS, TRAINING_SEED, Episodes, record
from twm_train.exogenous import ExogenousModel
from twm_train.logging_policies import POLICY_SHARES
from twm_train.windows import Windows, cut

Arrays = Mapping[str, NDArray[np.float32]]
FOLDED = Path(__file__).parent / "folded"
EPISODES, STEPS = 128, 36
SEED_OFFSET = 0xC000
"""Part of the training range whose frames the constants of other networks are measured in."""
RECENT = 2
ANALYTIC = "analytic"
PLACE = "place"
MEASURED = ("demand_level", "efficiency_level", "coupling", "nominal", "relative", "attributes", "physics.coupling")
"""What belongs to a network and not to the weights: kept as measured there."""
PHYSICS_OF_NETWORK = ("link_factor", "nominal", "route", "backup", "route_sum", "backup_sum", "coupling", "thresholds")
SCALER = ("scaler.mean", "scaler.scale")


@dataclass(frozen=True)
class Weights:
    """What training learnt, by name in the torch models."""

    field: Arrays
    controllable: Arrays
    fwm: ModelEntry
    cdwm: ModelEntry

    @classmethod
    def of(cls, zoo: Path, spec: NetworkSpec) -> Weights:
        """Of the zoo's newest models of a network. Raises ModelMismatchError where there are none, or no folded part."""
        fwm, cdwm = (find_model(zoo, name, spec.topology_digest()) for name in ("fwm", "cdwm"))
        path = FOLDED / f"{cdwm.card.version}.npz"
        if not path.is_file():
            raise ModelMismatchError(
                f"folded weights of {cdwm.card.version}: not there; python -m twm_bench.robustness.carry CHECKPOINTS"
            )
        field: dict[str, NDArray[np.float32]] = {}
        controllable: dict[str, NDArray[np.float32]] = {}
        with np.load(path) as folded:
            for name in folded.files:
                part, _, key = name.partition("/")
                (field if part == "field" else controllable)[key] = folded[name]
        encode = _initializers(cdwm, "encode.onnx")
        field |= _under(_initializers(fwm, "fwm.onnx"), "model.") | _under(encode, "exogenous.field.")
        step = _under(_initializers(cdwm, "controllable_step.onnx"), "model.")
        controllable |= _under(encode, "controllable.") | step
        return cls(field, controllable, fwm, cdwm)


def carried(weights: Weights, source: NetworkSpec, target: NetworkSpec, out: Path, *, episodes: int = EPISODES) -> Path:
    """Put the models for `target` into the zoo `out`; returns it. `source` is the network they were trained on.

    Folder `analytic` of it holds a CDWM whose controllable part is the physics alone, as the benchmark's rival of that name.

    Raises ModelMismatchError where the target has other slices than the source, or the weights do not fit.
    """
    if [s.id for s in source.slices] != [s.id for s in target.slices]:
        raise ModelMismatchError(f"{target.name}: other slices than {source.name}: KPIs of a slice are normalised by its kind")
    recorded = record(target, TRAINING_SEED + SEED_OFFSET, episodes, STEPS)
    exogenous, controllable = built(weights, source, target, recorded)
    window = weights.cdwm.card.window
    windows = _windows(recorded, window, target)
    history, newest = windows.history[0, 0].numpy(), windows.field_now[0, 0].numpy()
    data = DataCard(
        sha256=recorded.digest(), episodes=recorded.count, steps=recorded.steps, scenarios=SCENARIOS, policies=POLICY_SHARES,
        seeds={"constants": (int(recorded.seed_N.min()), int(recorded.seed_N.max()))},
    )  # fmt: skip
    folders = {name: out / name / f"{target.name}-1" for name in ("fwm", "cdwm")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    shared = {
        "version": f"{target.name}-1",
        "network": target.name,
        "topology_digest": target.topology_digest(),
        "spec_digest": target.digest(),
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "data": data,
        "quality": {},
    }
    fwm_graphs = export.export_fwm(exogenous.field, target, folders["fwm"], history, newest)
    write_card(_card(weights.fwm.card, shared | {"graphs": fwm_graphs}), folders["fwm"])
    graphs = export.export_cdwm(exogenous, controllable, target, folders["cdwm"], history)
    statistics = ood.fit(windows.history[0].numpy(), windows.action[0].numpy(), target)
    write_card(_card(weights.cdwm.card, shared | {"graphs": graphs, "ood": statistics}), folders["cdwm"])
    physics = build_controllable(target, recorded, members=weights.cdwm.card.members, recent=RECENT).eval()
    analytic = out / ANALYTIC
    analytic.mkdir(exist_ok=True)
    graphs = export.export_cdwm(exogenous, physics, target, analytic, history)
    write_card(_card(weights.cdwm.card, shared | {"version": ANALYTIC, "graphs": graphs, "ood": statistics}), analytic)
    return out


def built(
    weights: Weights, source: NetworkSpec, target: NetworkSpec, recorded: Episodes
) -> tuple[ExogenousModel, ControllableModel]:
    """The torch models of `target` with the weights of `source`."""
    card = weights.cdwm.card
    field = build_field(target, recorded, members=card.members, window=card.window)
    home = source.topology_digest() == target.topology_digest()
    own = set(MEASURED) - ({"demand_level", "efficiency_level", "coupling"} if home else set())
    _load(field, weights.field, skip=own | (set() if home else {PLACE}))
    if not home:
        with torch.no_grad():
            field.place.zero_()
    exogenous = fit_exogenous(target, field.eval(), recorded)
    controllable = build_controllable(target, recorded, members=card.members, recent=RECENT)
    physics = {f"physics.{name}" for name in PHYSICS_OF_NETWORK}
    _load(controllable, weights.controllable, skip=physics | {"attributes", *SCALER})
    for name in SCALER:
        _spread(controllable, name, weights.controllable[name], HistoryLayout.of(source), HistoryLayout.of(target))
    return exogenous, controllable.eval()


def _load(model: nn.Module, values: Arrays, *, skip: set[str]) -> None:
    missing = []
    with torch.no_grad():
        for name, tensor in model.state_dict(keep_vars=True).items():
            if name in skip or name.startswith("posterior") or not tensor.is_floating_point():
                continue
            if name not in values:
                missing.append(name)
            elif tuple(values[name].shape) != tuple(tensor.shape):
                raise ModelMismatchError(f"weights: {name}: shape {values[name].shape}, expected {tuple(tensor.shape)}")
            else:
                tensor.copy_(torch.from_numpy(np.array(values[name])))
    if missing:
        raise ModelMismatchError(f"weights: missing {', '.join(missing[:8])}")


def _spread(
    model: ControllableModel, name: str, values: NDArray[np.float32], source: HistoryLayout, target: HistoryLayout
) -> None:
    """Constants of a feature, the same for all cells, slices and links, on a network with other numbers of them."""
    tensor = model.get_buffer(name)
    for block, (columns, shape) in target.blocks.items():
        found, before = source.blocks[block]
        if not np.prod(shape) or not np.prod(before):
            continue
        if block == "events":
            one = np.zeros(shape[-1], np.float32) + values[found][0]
        else:
            one = values[found].reshape(before).reshape(-1, before[-1])[0]
        tensor[columns] = torch.from_numpy(np.broadcast_to(one, shape).reshape(-1).copy())


def _card(of: ModelCard, entries: dict[str, object]) -> ModelCard:
    return ModelCard.model_validate(of.model_dump() | entries)


def _windows(recorded: Episodes, window: int, spec: NetworkSpec) -> Windows:
    generator = np.random.default_rng([1, 5])
    n = min(1024, recorded.count * 2)
    episode = generator.integers(recorded.count, size=(1, n))
    newest = generator.integers(window - 1, recorded.steps - spec.timing.horizon_steps, size=(1, n))
    return cut(recorded, episode, newest, window, spec.timing.horizon_steps)


def _initializers(entry: ModelEntry, file: str) -> dict[str, NDArray[np.float32]]:
    graph = onnx.load_model_from_string(entry.read_graph(file)).graph
    return {i.name: np.asarray(numpy_helper.to_array(i)) for i in graph.initializer}


def _under(values: Arrays, prefix: str) -> dict[str, NDArray[np.float32]]:
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def fold(checkpoints: Path, zoo: Path, spec: NetworkSpec) -> Path:
    """Keep what the zoo's graphs of a network lack of the checkpoints they were exported from. Returns the file.

    Raises ModelMismatchError where the checkpoints are those of another model.
    """
    cdwm, fwm = find_model(zoo, "cdwm", spec.topology_digest()), find_model(zoo, "fwm", spec.topology_digest())
    encode = _initializers(cdwm, "encode.onnx")
    known = {
        "field": _under(_initializers(fwm, "fwm.onnx"), "model.") | _under(encode, "exogenous.field."),
        "controllable": _under(encode, "controllable.") | _under(_initializers(cdwm, "controllable_step.onnx"), "model."),
    }
    newest = max(checkpoints.glob("controllable-*.pt"), key=lambda path: int(path.stem.split("-")[1]), default=None)
    if newest is None or not (checkpoints / "field.pt").is_file():
        raise ModelMismatchError(f"{checkpoints}: expected field.pt and controllable-N.pt of a run of the recipe")
    kept = {}
    for part, path in (("field", checkpoints / "field.pt"), ("controllable", newest)):
        state = torch.load(path, weights_only=True)["model"]
        for name, tensor in state.items():
            value = tensor.numpy()
            if name in known[part]:
                if not np.array_equal(known[part][name], value):
                    raise ModelMismatchError(f"{path}: {name}: not that of {cdwm.card.version}")
            elif tensor.is_floating_point() and not name.startswith(("posterior", "relative")):
                kept[f"{part}/{name}"] = value
    FOLDED.mkdir(exist_ok=True)
    out = FOLDED / f"{cdwm.card.version}.npz"
    np.savez_compressed(out, **kept)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m twm_bench.robustness.carry", description="Keep the weights that the zoo's graphs have folded away."
    )
    parser.add_argument("checkpoints", type=Path, help="work folder of the run of the recipe that made the zoo's models")
    parser.add_argument("--network", default="poc-city")
    parser.add_argument("--zoo", type=Path, default=None)
    options = parser.parse_args(argv)
    try:
        print(fold(options.checkpoints, options.zoo or zoo_folder(), load_network(find_network(options.network))))
    except TwmError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
