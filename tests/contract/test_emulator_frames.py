"""Frames rebuilt from the emulator's bytes equal what the twin says an operator can record, within the units' resolution."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core.frames import (
    CELL_FEATURES,
    CELL_SLICE_FEATURES,
    FAST_FEATURES,
    LINK_FEATURES,
    LINK_SLICE_FEATURES,
    FrameArrays,
)
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.reading import ReportReader
from twm_twin.e2.live_network import LiveNetwork
from twm_twin.e2.reports import ReportMaker
from twm_twin.recording import record_frames

BEGIN_S = 1_794_000_000
FIRST_STEP = BEGIN_S // 60
FEATURES = {
    "cell_slice": CELL_SLICE_FEATURES,
    "cell": CELL_FEATURES,
    "link_slice": LINK_SLICE_FEATURES,
    "link": LINK_FEATURES,
    "fast": FAST_FEATURES,
}
# absolute and relative resolution where it is coarser than a float: 1 kbit in 4 s, 1 PRB of 273, 1 %, 1e-6
RESOLUTION = {
    ("cell_slice", "offered_mbps"): (3e-4, 1e-6),
    ("cell_slice", "served_mbps"): (3e-4, 1e-6),
    ("fast", "offered_mbps"): (3e-4, 1e-6),
    ("cell_slice", "radio_loss_ratio"): (1e-6, 1e-5),
    ("cell_slice", "e2e_loss_ratio"): (1e-6, 1e-3),
    ("cell_slice", "prb_used_ratio"): (0.5 / 273, 0),
    ("cell", "prb_used_ratio"): (0.005, 0),
    ("cell", "spectral_efficiency_bps_hz"): (0.0, 0.02),
    ("cell_slice", "active_ues"): (0.5, 0),
    ("cell", "active_ues"): (1.5, 0),
}


def _rebuilt(spec: NetworkSpec, steps: int, scenario: str) -> list[tuple[FrameArrays, FrameArrays, dict[str, int]]]:
    network = LiveNetwork(spec, seed=500, scenarios=[scenario], scenario_steps=60, running="reactive")
    maker, out, first = ReportMaker(spec), [], round(BEGIN_S / spec.timing.slow_step_s)
    for i in range(steps):
        refused: dict[str, int] = {}

        def count(reasons: dict[str, int], into: dict[str, int] = refused) -> None:
            for reason, number in reasons.items():
                into[reason] = into.get(reason, 0) + number

        reader, builder = ReportReader(spec, count=count), FrameBuilder(spec, count=count)
        result = network.step()
        samples = [
            sample
            for tick in maker.ticks(result, first + i)
            for report in tick.reports
            for sample in reader.read(report, tick.end_s)
        ]
        out.append((builder.build(first + i, samples), record_frames(spec, result).frame(0), refused))
    return out


@pytest.mark.parametrize("scenario", ["hotspot-ood", "wave-ood"])
def test_city_frames_survive_the_wire(spec: NetworkSpec, scenario: str) -> None:
    for got, want, refused in _rebuilt(spec, 4, scenario):
        assert {reason for reason, number in refused.items() if number} == set()
        for block, names in FEATURES.items():
            for index, name in enumerate(names):
                absolute, relative = RESOLUTION.get((block, name), (1e-6, 1e-5))
                ours, theirs = getattr(got, block)[..., index], getattr(want, block)[..., index]
                np.testing.assert_allclose(ours, theirs, rtol=relative, atol=absolute, err_msg=f"{block}.{name}")


def test_every_node_reports_in_its_own_way(spec: NetworkSpec) -> None:
    network = LiveNetwork(spec, seed=1, scenarios=["wave-id"], scenario_steps=60, running="uniform")
    maker = ReportMaker(spec)
    reports = [r for tick in maker.ticks(network.step(), FIRST_STEP) for r in tick.reports]
    kinds = {(r.node_id, r.WhichOneof("content")) for r in reports if r.node_id.startswith("gnb")}
    assert kinds == {("gnb-1", "e2ap_pdu"), ("gnb-2", "kpm"), ("gnb-3", "kpm"), ("gnb-4", "kpm"), ("gnb-5", "kpm")}
    heads = {r.node_id: r.kpm.message[:1].hex() for r in reports if r.WhichOneof("content") == "kpm"}
    assert heads == {"gnb-2": "06", "gnb-3": "40", "gnb-4": "0c", "gnb-5": "20"}


def test_a_spec_without_transport_and_with_another_period() -> None:
    small = load_network(find_network("explora-cell"))
    node = small.e2_nodes[0].model_copy(update={"report_period_s": 2.5})
    small = small.model_copy(update={"e2_nodes": (node,)})
    got, want, _ = _rebuilt(small, 2, "hotspot-id")[1]
    for name in ("offered_mbps", "served_mbps", "prb_share"):
        np.testing.assert_allclose(got.cell_slice_feature(name), want.cell_slice_feature(name), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(got.cell_slice_feature("prb_used_ratio"), want.cell_slice_feature("prb_used_ratio"), atol=0.02)
