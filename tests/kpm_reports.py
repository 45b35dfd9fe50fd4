"""KPM bytes as E2 nodes send them, for the ingester's tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.network import NetworkSpec
from twm.ingester.kpm.types import Format1, Format3, Label, Measurement, Record, UeId, UeReport, Value
from twm_twin.e2.kpm_encoder import encode_header, encode_message

NAMES = (
    "DRB.PdcpSduVolumeDL",
    "DRB.RlcSduTransmittedVolumeDL",
    "DRB.UEThpDl",
    "RRU.PrbUsedDl",
    "RRU.PrbTotDl",
    "RRU.PrbAvailDl",
    "DRB.RlcPacketDropRateDl",
    "DRB.RlcSduDelayDl",
    "DRB.MeanActiveUeDl",
)
INTEGERS = frozenset({"DRB.PdcpSduVolumeDL", "DRB.RlcSduTransmittedVolumeDL", "RRU.PrbUsedDl", "DRB.RlcPacketDropRateDl"})
NO_LABEL = Label(no_label=True, json={"noLabel": "true"})


def slice_labels(spec: NetworkSpec) -> tuple[Label, ...]:
    """One label a slice of the network."""
    return tuple(
        Label(
            sst=s.s_nssai.sst,
            sd=s.s_nssai.sd,
            json={"sliceID": {"sST": f"{s.s_nssai.sst:02x}", **({"sD": s.s_nssai.sd} if s.s_nssai.sd else {})}},
        )
        for s in spec.slices
    )


def values_of(names: Sequence[str], count: int, rng: np.random.Generator) -> tuple[Value, ...]:
    """Plausible values, `count` for each name."""
    out: list[Value] = []
    for name in names:
        for value in rng.uniform(1, 90, count):
            out.append(int(value * 1000) if "Volume" in name else int(value) if name in INTEGERS else float(value))
    return tuple(out)


def format1(spec: NetworkSpec, rng: np.random.Generator, names: Sequence[str] = NAMES, period_ms: int = 4000) -> Format1:
    """Format 1 with every slice's label on every measurement."""
    labels = slice_labels(spec)
    return Format1([Record(values_of(names, len(labels), rng))], tuple(Measurement(n, None, labels) for n in names), period_ms)


def ue_id(slice_number: int, number: int) -> UeId:
    """A UE whose ran-UEID begins with its slice's number, as the shipped network spec maps it."""
    ran = f"{slice_number:02x}{number:014x}"
    return UeId(f"ran:{ran}", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": number, "ran-UEID": ran})


def format3(rng: np.random.Generator, ues: int = 9, names: Sequence[str] = NAMES[:7], period_ms: int = 4000) -> Format3:
    """Format 3 with `ues` UEs, a third of them in each slice."""
    measurements = tuple(Measurement(n, None, (NO_LABEL,)) for n in names)
    return Format3(
        [
            UeReport(ue_id(i % 3 + 1, i), Format1([Record(values_of(names, 1, rng))], measurements, period_ms))
            for i in range(ues)
        ]
    )


def kpm_report(spec: NetworkSpec, cell_index: int, start_s: float, message: Format1 | Format3) -> telemetry_pb2.Report:
    """A message as the cell's node sends it, in its dialect."""
    cell = spec.cells[cell_index]
    node = spec.e2_node(cell.e2_node)
    assert node is not None
    report = telemetry_pb2.Report(node_id=node.id, cell_id=cell.id)
    report.kpm.header = encode_header(start_s, node.kpm_dialect)
    report.kpm.message = encode_message(message, node.kpm_dialect)
    report.received.FromNanoseconds(round((start_s + 4.0) * 1e9))
    return report


def kpm_step(spec: NetworkSpec, step: int, seed: int = 0) -> list[telemetry_pb2.Report]:
    """The KPM reports of all cells in one slow step, in time order, each in its node's format and dialect."""
    rng = np.random.default_rng([seed, step])
    out = []
    for t in range(spec.timing.fast_steps):
        start_s = step * spec.timing.slow_step_s + t * spec.timing.fast_step_s
        for index, cell in enumerate(spec.cells):
            node = spec.e2_node(cell.e2_node)
            assert node is not None
            message = format1(spec, rng) if node.report_format == 1 else format3(rng)
            out.append(kpm_report(spec, index, start_s, message))
    return out
