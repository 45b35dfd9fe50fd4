"""Broken indications by the thousand, through the reader that the ingester uses: refused by reason, no crash, no memory lost.

TWM_LONG=1 runs 200,000 indications and 20,000 whole E2AP PDUs (minutes); otherwise a hundredth of it.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core.e2sm.dialects import DIALECTS
from twm.core.e2sm.labels import NO_LABEL, label_of
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec, load_network
from twm.core.paths import find_network
from twm.core.per import Reason
from twm.ingester.kpm.e2ap import encode_ric_indication
from twm.ingester.kpm.types import Format1, Format3, Measurement, Record, RicIndication, UeId, UeReport
from twm.ingester.reading import Refusal, ReportReader
from twm_twin.e2.kpm_encoder import encode_header, encode_message

LONG = os.environ.get("TWM_LONG") == "1"
INDICATIONS, PDUS = (200_000, 20_000) if LONG else (2_000, 200)
MAX_GROWTH_BYTES = 64 << 20
START_S = 1.79e9
KNOWN = {value for kind in (Reason, Refusal) for name, value in vars(kind).items() if name.isupper()} | {
    "too_many_values", "malformed_e2ap", "not_ric_indication", "missing_e2ap_ie", "not_a_report",
}  # fmt: skip


def _large(rng: random.Random, dialect: str) -> list[bytes]:
    """What the recorded vectors lack: long lists, many UEs, labels of v4, values not satisfied."""
    cell = ["nR-CGI", {"pLMNIdentity": "00f110", "nRCellIdentity": 17}]
    labels = (
        NO_LABEL,
        label_of({"sliceID": {"sST": "01", "sD": "0000aa"}}),
        label_of({"noLabel": "true", "cellGlobalID": cell}),
    )
    long_list = tuple(Measurement(f"DRB.X{i}", None, (labels[i % 3],)) for i in range(80))
    values = tuple(rng.choice((rng.randrange(2**32), rng.uniform(-1e5, 1e5), None)) for _ in range(80))
    ues = [
        UeReport(
            UeId("", "gNB-DU-UEID", {"gNB-CU-UE-F1AP-ID": i, "ran-UEID": f"{i:016x}"}), Format1([Record(values)], long_list)
        )
        for i in range(12)
    ]
    not_satisfied = Record(tuple(None if i % 5 == 0 else i for i in range(80)), not_satisfied=tuple(range(0, 80, 5)))
    return [
        encode_message(message, dialect)
        for message in (Format1([Record(values), not_satisfied], long_list, 1000), Format1([not_satisfied]), Format3(ues))
    ]


def _samples(rng: random.Random) -> dict[str, list[bytes]]:
    """Good messages by dialect."""
    vectors = json.loads((Path(__file__).parents[2] / "contract" / "data" / "kpm_asn1tools.json").read_text())["vectors"]
    found: dict[str, list[bytes]] = {dialect: _large(rng, dialect) for dialect in DIALECTS}
    for vector in vectors:
        if not vector["pdu"].lower().endswith("header"):
            found[vector["dialect"]].append(bytes.fromhex(vector["hex"]))
    return found


def mutated(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """`data` broken in one of the ways in which bytes break."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 6))):
        kind, at = rng.randrange(8), rng.randrange(len(broken)) if broken else 0
        if kind == 0:
            broken[at : at + 1] = bytes((broken[at] ^ 1 << rng.randrange(8),)) if broken else b""
        elif kind == 1:
            broken[at : at + 1] = bytes((rng.choice((0, 0x7F, 0x80, 0xC4, 0xFF, rng.randrange(256))),))
        elif kind == 2:
            del broken[at:]
        elif kind == 3:
            del broken[at : at + rng.randint(1, 9)]
        elif kind == 4:
            broken[at:at] = rng.randbytes(rng.randint(1, 9))
        elif kind == 5:
            broken[at:at] = broken[at : at + rng.randint(1, 64)]
        elif kind == 6:
            broken = broken[:at] + other[rng.randrange(len(other)) :]
        else:
            broken += rng.choice((b"\0", b"\xff", other))
    return bytes(broken)


NODE_OF = {
    "kpm_v2.01_standard": 0, "kpm_v3.00_standard": 1, "kpm_v5.00_standard": 2, "kpm_v2.03_flexric": 3, "kpm_v3.00_flexric": 4,
}  # fmt: skip
"""Which node of the network speaks which dialect."""


def _reader() -> tuple[ReportReader, NetworkSpec]:
    """The reader of a network with a node for each dialect."""
    spec = load_network(find_network("poc-city"))
    nodes = [
        spec.e2_nodes[index].model_copy(update={"kpm_dialect": dialect, "ue_slices": {"ran:*": spec.slices[0].id}})
        for dialect, index in NODE_OF.items()
    ]
    spec = spec.model_copy(update={"e2_nodes": tuple(nodes)})
    return ReportReader(spec, count=lambda _: None), spec


def _report(spec: NetworkSpec, dialect: str) -> telemetry_pb2.Report:
    node_id = spec.e2_nodes[NODE_OF[dialect]].id
    cell_id = next(cell.id for cell in spec.cells if cell.e2_node == node_id)
    return telemetry_pb2.Report(node_id=node_id, cell_id=cell_id)


@pytest.mark.timeout(3600 if LONG else 120)
def test_mutated_indications_are_refused_by_reason() -> None:
    rng = random.Random(2026)
    (reader, spec), samples = _reader(), _samples(rng)
    headers = {dialect: encode_header(START_S, dialect, strings=("1", "gnb", None, "twm")) for dialect in DIALECTS}
    process, outcomes, slowest_s = psutil.Process(), Counter[str](), 0.0
    before = process.memory_info().rss
    for number in range(INDICATIONS):
        if number == INDICATIONS // 10:
            before = process.memory_info().rss  # caches are warm
        dialect = rng.choice(tuple(NODE_OF))
        message, header = rng.choice(samples[dialect]), headers[dialect]
        if rng.random() < 0.1:
            header = mutated(rng, header, header)
        if rng.random() < 0.95:
            message = mutated(rng, message, rng.choice(samples[dialect]))
        report = _report(spec, dialect)
        report.kpm.header, report.kpm.message = header, message
        began_s = time.perf_counter()
        try:
            reader.read(report, START_S)
            outcomes["read"] += 1
        except InvalidInputError as error:
            outcomes[error.reason] += 1
        slowest_s = max(slowest_s, time.perf_counter() - began_s)
    grown = process.memory_info().rss - before
    print(f"\n{INDICATIONS} indications: {dict(outcomes.most_common())}")
    print(f"slowest {slowest_s * 1e3:.0f} ms, RSS {grown / 1e6:+.1f} MB")
    assert sum(outcomes.values()) == INDICATIONS
    assert set(outcomes) - {"read"} <= KNOWN
    assert outcomes["read"] > INDICATIONS // 50 and len(outcomes) > 10
    assert grown <= MAX_GROWTH_BYTES
    assert slowest_s < 2.0


@pytest.mark.timeout(3600 if LONG else 120)
def test_mutated_e2ap_pdus_are_refused_by_reason() -> None:
    rng = random.Random(2027)
    dialect = "kpm_v3.00_standard"
    reader, spec = _reader()
    header = encode_header(START_S, dialect)
    good = [encode_ric_indication(RicIndication(1, 0, 2, 1, 7, header, message)) for message in _samples(rng)[dialect]]
    process, outcomes = psutil.Process(), Counter[str]()
    before = process.memory_info().rss
    for number in range(PDUS):
        if number == PDUS // 10:
            before = process.memory_info().rss
        pdu = mutated(rng, rng.choice(good), rng.choice(good)) if number % 20 else rng.choice(good)
        try:
            report = _report(spec, dialect)
            report.e2ap_pdu = pdu
            reader.read(report, START_S)
            outcomes["read"] += 1
        except InvalidInputError as error:
            outcomes[error.reason] += 1
    grown = process.memory_info().rss - before
    print(f"\n{PDUS} E2AP PDUs: {dict(outcomes.most_common())}; RSS {grown / 1e6:+.1f} MB")
    assert sum(outcomes.values()) == PDUS
    assert set(outcomes) - {"read"} <= KNOWN
    assert grown <= MAX_GROWTH_BYTES
