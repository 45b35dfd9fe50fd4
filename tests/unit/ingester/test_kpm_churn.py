"""E2 nodes that set up again and again, each time with new UEs and a list of measurements of their own: memory does not grow.

TWM_LONG=1 makes 70,000 set-ups (minutes); otherwise 800. What the RIC process keeps of subscriptions is tested beside it.
"""

from __future__ import annotations

import gc
import os

import psutil
import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.e2sm.labels import NO_LABEL
from twm.core.e2sm.types import UeId
from twm.core.network import NetworkSpec
from twm.ingester.kpm.types import Format1, Format3, Measurement, Record, UeReport
from twm.ingester.plans import Bounded
from twm.ingester.reading import ReportReader
from twm.ingester.samples import KpmSample
from twm_twin.e2.kpm_encoder import encode_header, encode_message

LONG = os.environ.get("TWM_LONG") == "1"
SETUPS = 70_000 if LONG else 800
UES = 16
START_S = 1.79e9


def _message(number: int) -> Format3:
    names = (f"DRB.X{number}", "DRB.UEThpDl")
    measurements = tuple(Measurement(name, None, (NO_LABEL,)) for name in names)
    return Format3(
        [
            UeReport(
                UeId("", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": ue, "ran-UEID": f"{1 << 56 | ue:016x}"}),
                Format1([Record((number, 12.5))], measurements, 1000),
            )
            for ue in range(number * UES, number * UES + UES)
        ]
    )


@pytest.mark.timeout(3600 if LONG else 120)
def test_set_ups_with_new_ues_and_lists_leave_no_memory_behind(spec: NetworkSpec) -> None:
    node = next(entry for entry in spec.e2_nodes if entry.ue_slices)
    cell = next(entry for entry in spec.cells if entry.e2_node == node.id)
    counted: dict[str, int] = {}
    reader = ReportReader(spec, count=lambda refused: counted.update({k: counted.get(k, 0) + v for k, v in refused.items()}))
    process, before = psutil.Process(), 0
    header = encode_header(START_S, node.kpm_dialect)
    for number in range(SETUPS):
        if number == SETUPS * 2 // 5:
            gc.collect()
            before = process.memory_info().rss
        report = telemetry_pb2.Report(node_id=node.id, cell_id=cell.id)
        report.kpm.header, report.kpm.message = header, encode_message(_message(number), node.kpm_dialect)
        (sample,) = reader.read(report, START_S)
        assert isinstance(sample, KpmSample) and len(sample.ues) == UES
    gc.collect()
    grown = process.memory_info().rss - before
    print(f"\n{SETUPS} set-ups: RSS {before / 1e6:.0f} MB, {grown / 1e6:+.1f} MB ({grown / before:+.1%})")
    assert counted == {"unknown_measurement": SETUPS * UES}
    assert grown <= 0.05 * before if LONG else grown <= 32e6


def test_lists_and_plans_are_kept_by_weight() -> None:
    kept: Bounded[int, str] = Bounded(100)
    for key in range(50):
        kept.put(key, "x", 10)
    assert [key for key in range(50) if kept.get(key)] == list(range(40, 50))
    kept.put(49, "heavier", 60)
    assert [key for key in range(50) if kept.get(key)] == [45, 46, 47, 48, 49]
    kept.put(99, "too heavy", 101)
    assert kept.get(99) is None and kept.get(49) == "heavier"
