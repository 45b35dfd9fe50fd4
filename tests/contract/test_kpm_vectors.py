"""Decoder and encoder against encodings of other origin: the shared vectors (asn1c, asn1tools) and our own set by asn1tools."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from twm.cli import decode as decode_command
from twm.core.e2sm.dialects import DIALECTS
from twm.core.errors import DecodeError
from twm.ingester.kpm import decode_header, decode_message, to_json
from twm_twin.e2.kpm_encoder import encode_header, encode_message

ASN1TOOLS_SET = json.loads((Path(__file__).parent / "data" / "kpm_asn1tools.json").read_text())["vectors"]
MESSAGE_ALIKE = (
    {"kpm_v2.01_standard", "kpm_v3.00_standard", "kpm_v4.00_standard", "kpm_v5.00_standard"},
    {"kpm_v2.03_flexric", "kpm_v3.00_flexric"},
)
NOTHING_BUT_VALUES = "f1_no_infolist_no_gp"
"""Vectors without information list and granularity: byte for byte the same in every dialect."""


@pytest.fixture(scope="module")
def vectors(shared_data: Path) -> list[dict[str, Any]]:
    path = shared_data / "kpm-vectors" / "vectors.json"
    if not path.is_file():
        pytest.skip("no KPM vectors beside this checkout")
    found: list[dict[str, Any]] = json.loads(path.read_text())["vectors"]
    return found


def _is_header(vector: dict[str, Any]) -> bool:
    return vector["pdu"] in ("header", "E2SM-KPM-IndicationHeader")


def _decode(vector: dict[str, Any], dialect: str, *, cached: bool = False) -> dict[str, Any]:
    data = bytes.fromhex(vector["hex"])
    if _is_header(vector):
        return to_json(decode_header(data, dialect))
    return to_json(decode_message(data, dialect) if cached else decode_message(data, dialect, cache=None))


def _same_meaning(a: str, b: str, vector: dict[str, Any]) -> bool:
    if _is_header(vector):
        return DIALECTS[a].timestamp_bytes == DIALECTS[b].timestamp_bytes
    return any({a, b} <= group for group in MESSAGE_ALIKE) or vector["id"].endswith(NOTHING_BUT_VALUES)


def test_every_shared_vector_decodes_exactly(vectors: list[dict[str, Any]]) -> None:
    assert len(vectors) == 33
    for vector in vectors:
        for cached in (False, True, True):
            assert _decode(vector, vector["dialect"], cached=cached) == vector["decoded"], vector["id"]


def test_every_asn1tools_encoding_decodes_exactly() -> None:
    assert len(ASN1TOOLS_SET) == 60
    for vector in ASN1TOOLS_SET:
        for cached in (False, True, True):
            assert _decode(vector, vector["dialect"], cached=cached) == vector["decoded"]


def test_a_wrong_dialect_raises_or_changes_nothing(vectors: list[dict[str, Any]]) -> None:
    raised, alike = set(), set()
    for vector in vectors:
        for dialect in DIALECTS:
            try:
                decoded = _decode(vector, dialect)
            except DecodeError:
                raised.add((vector["id"], dialect))
                continue
            assert decoded == vector["decoded"], (vector["id"], dialect)
            alike.add((vector["id"], dialect))
    assert alike == {(v["id"], d) for v in vectors for d in DIALECTS if _same_meaning(v["dialect"], d, v)}
    assert len(raised) + len(alike) == len(DIALECTS) * len(vectors)


def test_asn1tools_encodings_never_change_in_the_other_family() -> None:
    for vector in ASN1TOOLS_SET:
        if _is_header(vector):
            continue
        flexric = vector["dialect"].endswith("flexric")
        other = "kpm_v3.00_standard" if flexric else "kpm_v3.00_flexric"
        try:
            decoded = _decode(vector, other)
        except DecodeError:
            continue
        assert decoded == vector["decoded"], vector["hex"]


def test_encoder_gives_the_vectors_back(vectors: list[dict[str, Any]]) -> None:
    differ = set()
    for vector in vectors:
        data, dialect = bytes.fromhex(vector["hex"]), vector["dialect"]
        if _is_header(vector):
            header = decode_header(data, dialect)
            encoded = encode_header(header.start_s, dialect, clock=header.clock)
        else:
            encoded = encode_message(decode_message(data, dialect), dialect)
        if encoded != data:
            differ.add(vector["id"].split("/")[1])
            assert _decode({**vector, "hex": encoded.hex()}, dialect) == vector["decoded"], vector["id"]
    # those hold REALs with a leading zero octet in the mantissa; ours are minimal
    assert differ == {"f3_du", "f3_gnb", "f1_cell_8meas_nolabel", "f1_slice_labels_prb_thp"}


def test_command_prints_every_vector(vectors: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    decode_command.add_arguments(parser)
    for index, vector in enumerate(vectors):
        source = vector["hex"]
        if index % 3:
            path = tmp_path / "pdu"
            path.write_bytes(bytes.fromhex(source) if index % 3 == 1 else source.encode() + b"\n")
            source = str(path)
        pdu = "header" if _is_header(vector) else "message"
        args = parser.parse_args(["--dialect", vector["dialect"], "--pdu", pdu, source, *(["--compact"] if index % 2 else [])])
        assert decode_command.run(args) == 0
        assert json.loads(capsys.readouterr().out) == vector["decoded"], vector["id"]
