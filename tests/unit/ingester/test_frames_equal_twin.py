"""The frame that the ingester makes of the emulated nodes' bytes is the one the twin records itself."""

from __future__ import annotations

import numpy as np
import pytest

from twm.core import frames as layout
from twm.core.frames import FrameArrays
from twm.core.network import NetworkSpec
from twm.ingester.aggregation import FrameBuilder
from twm.ingester.assembler import ACCEPTED, Assembler, Patience
from twm.ingester.reading import ReportReader
from twm_twin.e2.live_network import LiveNetwork
from twm_twin.e2.reports import ReportMaker

STEP = 30_000_000

# KPM carries whole PRBs and kbit, loss in 1e-6 and PRB totals in percent; the rest is equal up to single precision.
QUANTA = {"prb_used_ratio": 0.006, "spectral_efficiency_bps_hz": 0.05, "active_ues": 1.0, "up_ratio": 1e-6}


@pytest.fixture(scope="module")
def network(spec: NetworkSpec) -> LiveNetwork:
    return LiveNetwork(spec, seed=500, scenarios=["hotspot-id"], scenario_steps=60, running="reactive")


def test_frames_of_emulated_bytes_equal_the_twins(spec: NetworkSpec, network: LiveNetwork) -> None:
    reader, maker = ReportReader(spec), ReportMaker(spec)
    assembler = Assembler(spec, Patience.of(spec), FrameBuilder(spec), now=0.0)
    for step in (STEP, STEP + 1, STEP + 2):
        result = network.step()
        expected: FrameArrays = network._twin.frames(result).frame(0)
        for tick in maker.ticks(result, step):
            for report in tick.reports:
                for sample in reader.read(report, tick.end_s):
                    assert assembler.add(sample, tick.end_s, 0.0) == ACCEPTED
        assert assembler.due(0.0, caught_up=True) == step
        frame = assembler.frame(step)
        assembler.closed(step)
        assert frame.missing_report_count == 0
        for block, names in (
            ("cell_slice", layout.CELL_SLICE_FEATURES),
            ("cell", layout.CELL_FEATURES),
            ("link_slice", layout.LINK_SLICE_FEATURES),
            ("link", layout.LINK_FEATURES),
            ("fast", layout.FAST_FEATURES),
        ):
            for k, name in enumerate(names):
                made, recorded = frame.blocks()[block][..., k], expected.blocks()[block][..., k]
                np.testing.assert_array_equal(np.isnan(made), np.isnan(recorded), err_msg=f"{block}.{name} missing")
                np.testing.assert_allclose(
                    made, recorded, rtol=2e-3, atol=QUANTA.get(name, 2e-3), err_msg=f"{block}.{name} step {step}"
                )
