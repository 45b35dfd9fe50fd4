"""Values whose label names a cell (E2SM-KPM v4 on) go to that cell, never to another."""

from __future__ import annotations

from typing import Any

from kpm_reports import encode_header

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.e2sm.labels import label_of
from twm.core.network import load_network
from twm.core.paths import find_network
from twm.ingester.kpm.types import Format1, Label, Measurement, Record, UeId, UeReport
from twm.ingester.kpm.types import Format3 as Format3
from twm.ingester.reading import ReportReader
from twm.ingester.samples import KpmSample
from twm_twin.e2.kpm_encoder import encode_message

SPEC = load_network(find_network("poc-city"))
DIALECT = SPEC.e2_nodes[0].kpm_dialect
START_S = 1.79e9
SLICE = SPEC.slices[0].s_nssai


def _label(nci: int | None, plmn: str = "00f110", *, of_slice: bool = True) -> Label:
    json: dict[str, Any] = {"sliceID": {"sST": f"{SLICE.sst:02x}", **({"sD": SLICE.sd.lower()} if SLICE.sd else {})}}
    if not of_slice:
        json = {"noLabel": "true"}
    if nci is not None:
        json["cellGlobalID"] = ["nR-CGI", {"pLMNIdentity": plmn, "nRCellIdentity": nci}]
    return label_of(json)


def _read(message: Format1 | Format3) -> tuple[dict[int, list[float | int | None]], dict[str, int]]:
    """Values taken by cell, and what was counted as refused, of a report about cell 0 (identity 16; 17 is its neighbour)."""
    counted: dict[str, int] = {}
    reader = ReportReader(SPEC, count=lambda refused: counted.update({k: counted.get(k, 0) + v for k, v in refused.items()}))
    report = telemetry_pb2.Report(node_id="gnb-1", cell_id="cell-0")
    report.kpm.header, report.kpm.message = encode_header(START_S, DIALECT), encode_message(message, DIALECT)
    taken: dict[int, list[float | int | None]] = {}
    for sample in reader.read(report, START_S):
        assert isinstance(sample, KpmSample)
        if sample.plan is not None:
            taken[sample.cell] = [sample.values[position] for position in sample.plan.source]
        for ue in sample.ues:
            taken[sample.cell] = [ue.values[position] for position in ue.plan.source]
    return taken, {reason: count for reason, count in counted.items() if count}


def _message(labels: tuple[Label, ...]) -> Format1:
    return Format1([Record(tuple(range(1, len(labels) + 1)))], (Measurement("RRU.PrbUsedDl", None, labels),), 4000)


def test_each_value_goes_to_the_cell_its_label_names() -> None:
    assert _read(_message((_label(16), _label(17)))) == ({0: [1], 1: [2]}, {})
    assert _read(_message((_label(17), _label(None)))) == ({0: [2], 1: [1]}, {})
    assert _read(_message((_label(17),))) == ({1: [1]}, {})
    assert _read(_message((_label(None),))) == ({0: [1]}, {})
    assert _read(_message((_label(17, of_slice=False), _label(16)))) == ({0: [2], 1: [1]}, {})


def test_cells_of_other_nodes_and_strangers_are_counted_and_dropped() -> None:
    assert _read(_message((_label(16), _label(32)))) == ({0: [1]}, {"unknown_cell": 1})  # a cell of gnb-2
    assert _read(_message((_label(16), _label(4242), _label(17, "00f120")))) == ({0: [1]}, {"unknown_cell": 2})


def test_a_ues_values_in_another_cell_are_left_out() -> None:
    ue_id = UeId("ran:0100000000000001", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": 1, "ran-UEID": "0100000000000001"})
    labels = (_label(17, of_slice=False), _label(16, of_slice=False))
    node = SPEC.e2_nodes[0].model_copy(update={"ue_slices": {"ran:01*": SPEC.slices[0].id}})
    spec = SPEC.model_copy(update={"e2_nodes": (node, *SPEC.e2_nodes[1:])})
    counted: dict[str, int] = {}
    reader = ReportReader(spec, count=counted.update)
    report = telemetry_pb2.Report(node_id="gnb-1", cell_id="cell-0")
    report.kpm.header = encode_header(START_S, DIALECT)
    report.kpm.message = encode_message(Format3([UeReport(ue_id, _message(labels))]), DIALECT)
    (sample,) = reader.read(report, START_S)
    assert isinstance(sample, KpmSample) and sample.cell == 0
    assert [ue.values[position] for ue in sample.ues for position in ue.plan.source] == [2]
