"""No input whatever makes the decoder raise anything but DecodeError, nor take long."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twm.core.e2sm.dialects import DIALECTS
from twm.core.errors import DecodeError
from twm.ingester.kpm import decode_header, decode_message, to_json
from twm.ingester.kpm.message import TailCache

_SAMPLES = json.loads((Path(__file__).parents[2] / "contract" / "data" / "kpm_asn1tools.json").read_text())["vectors"]


@pytest.fixture(scope="module")
def samples() -> list[tuple[bytes, str, bool]]:
    """Good encodings with their dialects, and whether they are headers: ours, and the shared vectors where there are any."""
    vectors = list(_SAMPLES)
    shared = Path(__file__).resolve().parents[4] / "shared" / "data" / "kpm-vectors" / "vectors.json"
    if shared.is_file():
        vectors += json.loads(shared.read_text())["vectors"]
    return [(bytes.fromhex(v["hex"]), v["dialect"], v["pdu"].lower().endswith("header")) for v in vectors]


def _survives(data: bytes, dialect: str, cache: TailCache | None = None) -> bool:
    decoded, reasons = 0, []
    for decode in (lambda: decode_message(data, dialect, cache), lambda: decode_header(data, dialect)):
        try:
            to_json(decode())
            decoded += 1
        except DecodeError as error:
            reasons.append(error.reason)
    assert all(reasons)
    return decoded > 0


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.sampled_from(sorted(DIALECTS)))
def test_arbitrary_bytes(data: bytes, dialect: str) -> None:
    _survives(data, dialect)


def test_flipped_bits(samples: list[tuple[bytes, str, bool]]) -> None:
    rng, cache, good = random.Random(11), TailCache(), 0
    for data, dialect, _ in samples:
        for _ in range(200):
            broken = bytearray(data)
            for _ in range(rng.choice((1, 1, 2, 5))):
                broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
            good += _survives(bytes(broken), dialect, cache)
    assert good > 1000  # flips inside values decode to other values


def test_truncations_are_refused(samples: list[tuple[bytes, str, bool]]) -> None:
    cache = TailCache()
    for data, dialect, is_header in samples:
        for length in range(0, len(data), max(1, len(data) // 60)):
            with pytest.raises(DecodeError):
                decode_header(data[:length], dialect) if is_header else decode_message(data[:length], dialect, cache)
        if not is_header:
            decode_message(data, dialect, cache)


def test_appended_bytes_are_refused(samples: list[tuple[bytes, str, bool]]) -> None:
    for data, dialect, _ in samples:
        for extra in (b"\0", b"\xff", b"\0" * 40):
            for decode in (decode_message, decode_header):
                with pytest.raises(DecodeError):
                    decode(data + extra, dialect)


def test_hostile_counts_cost_nothing() -> None:
    # 65,535 records, UEs, measurements announced; no content behind them
    for head in ("0cffff", "28ffff", "400080100000ffff", "20ffff", "0c000000ff" + "00" * 12, "0c000000c4" + "00" * 15):
        for dialect in DIALECTS:
            begin = time.perf_counter()
            with pytest.raises(DecodeError):
                decode_message(bytes.fromhex(head), dialect)
            assert time.perf_counter() - begin < 0.1


def test_a_mebibyte_of_no_values_is_bounded() -> None:
    body = bytes.fromhex("0000000000c4") + b"\x49\x24\x92" * 8192 * 40
    begin = time.perf_counter()
    with pytest.raises(DecodeError):
        decode_message(body[: 1 << 20], "kpm_v3.00_standard")
    assert time.perf_counter() - begin < 5
    with pytest.raises(DecodeError) as caught:
        decode_message(bytes((1 << 20) + 1), "kpm_v3.00_standard")
    assert caught.value.reason == "too_large"
