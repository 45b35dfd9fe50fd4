"""Rare events, weights on another network, ceilings of the field, and parts added to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_report import made_report
from rich.console import Console

from twm.core.errors import InvalidInputError, ModelMismatchError
from twm.core.features import field_features, history_matrix, newest_field
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network, zoo_folder
from twm_bench.axes.episodes import Recording, Windows, record, windows_of
from twm_bench.axes.field import unseen_city
from twm_bench.axes.field_ceiling import ForkedTwin, field_ceiling, silenced
from twm_bench.axes.served import ServedModels
from twm_bench.progress import Stages
from twm_bench.results import Horizons
from twm_bench.robustness.measure import Where, _kept, add_parts
from twm_bench.robustness.rare import events_of, rare_events
from twm_twin.layout import TwinLayout
from twm_twin.recording import frame_blocks
from twm_twin.redraw import Moment, MomentPath
from twm_twin.scenarios import SCENARIOS
from twm_twin.scored import ScoredHorizons
from twm_twin.seeds import seeds

SEEDS = seeds("validation", 6, 0x7000)


@pytest.fixture(scope="module")
def city() -> NetworkSpec:
    return load_network(find_network("poc-city"))


@pytest.fixture(scope="module")
def recording(city: NetworkSpec) -> Recording:
    return record(city, "validation", SEEDS[:1], ["wave-id"])


@pytest.fixture(scope="module")
def windows(recording: Recording) -> Windows:
    return windows_of(recording, 4)


@pytest.fixture(scope="module")
def models(city: NetworkSpec) -> ServedModels:
    return ServedModels(city, zoo_folder())


def test_rare_events_are_what_happened_in_the_twin(city: NetworkSpec) -> None:
    scenarios = ["hotspot-ood", "wave-ood"]
    found = events_of(city, scenarios, SEEDS)
    names = [name for name in scenarios for _ in SEEDS]
    truth = ScoredHorizons.prepare(city, SEEDS * 2, names)
    down = ~truth.link_up_NHL.all((1, 2)).reshape(2, len(SEEDS))
    assert (found["link-failure"] == down).all()
    assert down.any()
    assert not down.all()
    assert not (found["calm"] & (found["link-failure"] | found["two-shocks"])).any()
    assert (found["link-failure"] | ~found["failure-under-shock"]).all()


def test_rare_events_come_from_the_report_alone(city: NetworkSpec) -> None:
    report = made_report()
    report.seeds.seeds = list(SEEDS)
    del report.variants["history"]
    masks = events_of(city, SCENARIOS, SEEDS)
    for name, method in report.variants["calendar"].items():
        for y, scenario in enumerate(SCENARIOS):
            down = masks["link-failure"][y]
            scm = np.where(down, 0.1, 0.5) + (0.1 if name == "twm" else 0.0)
            horizons = Horizons(scm=scm.tolist(), saving=[0.08] * len(SEEDS), violated=down.tolist())
            method.scores[scenario].horizons = horizons
    found = rare_events(city, report)["variants"]["calendar"]
    failed = found["link-failure"]
    assert failed["horizons"] == masks["link-failure"].sum()
    assert failed["methods"]["twm"]["scm"] == pytest.approx(0.2)
    assert failed["methods"]["reactive"]["scm"] == pytest.approx(0.1)
    assert failed["methods"]["reactive"]["interval"] == pytest.approx([0.1, 0.1])
    assert failed["methods"]["reactive"]["p_violation"] == 1.0
    assert found["calm"]["methods"]["twm"]["p_violation"] == 0.0


def test_a_fork_that_takes_the_true_future_repeats_the_episode(city: NetworkSpec, recording: Recording) -> None:
    horizon, newest = city.timing.horizon_steps, 14
    layout, queues = TwinLayout.of(city), _queues_at(recording, newest)
    path = MomentPath(layout, Moment(int(recording.seed_N[0]), recording.scenarios[0], horizon, newest + 1, *queues))
    twin = ForkedTwin(city, 1)
    twin.begin([path], [path.true()])
    before = {name: block[:, newest] for name, block in recording.blocks.items()}
    for at in range(newest + 1, newest + 4):
        blocks = frame_blocks(twin.frames(twin.step(recording.prb_NTCS[:, at], recording.bandwidth_NTLS[:, at])))
        np.testing.assert_allclose(field_features(blocks, before, city)[0], recording.field_NTCF[0, at], rtol=1e-4, atol=1e-4)
        before = blocks


def _queues_at(recording: Recording, newest: int) -> tuple[Any, ...]:
    from twm_bench.axes.field_ceiling import _queues

    return tuple(q[0, newest] for q in _queues(recording))


def test_who_knows_the_shocks_has_the_higher_ceiling(windows: Windows, models: ServedModels) -> None:
    found = field_ceiling(windows, models.predict_field, "history", draws=4)
    offered = found["features"]["offered_mbps"]
    assert 0.5 < offered["ceiling_shocks_known_log"] <= 1.0
    assert offered["ceiling_shocks_unknown_log"] < offered["ceiling_shocks_known_log"]
    assert offered["r2_now_log"] > 0.999
    assert offered["r2_unreported_log"] < offered["r2_now_log"]
    assert found["windows"] == windows.count


def test_a_silenced_cell_reports_nothing(recording: Recording) -> None:
    frame = recording.frames(0, 12, 1, "history")[0]
    silent = silenced(frame, [2])
    assert np.isnan(silent.cell_slice[2]).all()
    assert np.isfinite(silent.cell_slice[[0, 1]]).any()
    assert np.isfinite(frame.cell_slice[2]).any()


def test_the_zoo_s_weights_give_its_graphs_at_home_and_run_elsewhere(
    city: NetworkSpec, recording: Recording, models: ServedModels
) -> None:
    torch = pytest.importorskip("torch")
    from twm_bench.robustness.carry import Weights, built
    from twm_train.data import TRAINING_SEED
    from twm_train.data import record as record_episodes

    weights = Weights.of(zoo_folder(), city)
    exogenous, _ = built(weights, city, city, record_episodes(city, TRAINING_SEED, 4, 28))
    frames = recording.frames(0, 20, 16, "calendar")
    field = exogenous.field
    with torch.no_grad():
        rows = torch.tensor(history_matrix(frames, city, field.window)).expand(field.members, 1, -1, -1)
        newest = torch.tensor(newest_field(frames, city)).expand(field.members, 1, -1, -1)
        ours = field.predict_field(field.forecast(rows), newest).mean((0, 1)).numpy()
    theirs = models.predict_field(frames).quantiles_TQCF
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)

    other = unseen_city(city, cells=7, seed=2)
    moved, controllable = built(weights, city, other, record_episodes(other, TRAINING_SEED, 4, 28))
    assert moved.field.sizes[0] == controllable.sizes[0] == 7
    assert float(moved.field.place.abs().max()) == 0.0
    assert torch.equal(moved.field.node_in.layers[0].weight, field.node_in.layers[0].weight)

    coast = load_network(str(Path(__file__).resolve().parents[2] / "fixtures" / "networks" / "coast.yaml"))
    from twm_bench.robustness.carry import carried

    with pytest.raises(ModelMismatchError, match="other slices"):
        carried(weights, city, coast, Path("nowhere"))


def test_parts_are_kept_and_what_was_not_measured_is_tried_again(city: NetworkSpec, tmp_path: Path) -> None:
    report = made_report()
    where = Where(
        spec=city, zoo=zoo_folder(), work=tmp_path, data=None, seed_count=1, jobs=1, ray=None,
        stages=Stages(Console(quiet=True)),
    )  # fmt: skip
    report.axes["traces"] = {}
    add_parts(report, where, ["traces"])
    assert "--data" in report.axes["traces"]["skipped"]
    with pytest.raises(InvalidInputError, match="weather"):
        add_parts(report, where, ["weather"])
    calls = []

    def measured() -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            raise ModelMismatchError(f"no model in {where.zoo}")
        return {"value": 1.0}

    assert "no model" in _kept(where, "a", [1], measured)["skipped"]
    assert _kept(where, "a", [1], measured) == {"value": 1.0}
    assert _kept(where, "a", [1], measured) == {"value": 1.0}
    assert len(calls) == 2
