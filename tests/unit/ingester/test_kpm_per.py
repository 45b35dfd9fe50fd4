"""PER primitives, REAL forms, lengths and extensions that no vector holds."""

from __future__ import annotations

import math
import random
import struct

import pytest

from twm.core.e2sm.labels import label_of
from twm.core.errors import DecodeError
from twm.core.per import Reader, real
from twm.core.per_writer import Writer, real_octets
from twm.ingester.kpm import decode_message, to_json
from twm.ingester.kpm.message import TailCache
from twm.ingester.kpm.types import Format1, Measurement, Record
from twm_twin.e2.kpm_encoder import encode_message

STANDARD = "kpm_v3.00_standard"


def test_real_forms() -> None:
    cases = {
        "": 0.0,
        "800001": 1.0,
        "c00001": -1.0,
        "80ff01": 0.5,
        "80030c35": 25000.0,
        "8003000c35": 25000.0,  # leading zero octet in the mantissa
        "80ff0177f7": 48123.5,
        "8004000000000000000186a0": 1600000.0,  # eleven octets
        "81fffe01": 0.25,  # exponent of two octets
        "82fffffe01": 0.25,  # of three
        "8304fffffffe01": 0.25,  # of a counted number
        "900101": 8.0,  # base 8
        "a00101": 16.0,  # base 16
        "ac0101": 128.0,  # base 16, scaled by 2^3
        "800000": 0.0,
        "40": math.inf,
        "41": -math.inf,
        "80" + "00" + "ff" * 20: float(2**160),  # more digits than a double holds, rounded once
    }
    for octets, value in cases.items():
        assert real(bytes.fromhex(octets), 0) == value, octets
    assert math.isnan(real(b"\x42", 0))
    assert math.copysign(1.0, real(b"\x43", 0)) == -1.0


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("03312e30", "decimal_real"),
        ("44", "bad_real"),
        ("4000", "bad_real"),
        ("80", "bad_real"),
        ("8001", "bad_real"),
        ("83", "bad_real"),
        ("830901", "bad_real"),
        ("b00101", "bad_real"),
        ("817fff01", "bad_real"),
    ],
)
def test_real_forms_refused(octets: str, reason: str) -> None:
    with pytest.raises(DecodeError) as caught:
        real(bytes.fromhex(octets), 0)
    assert caught.value.reason == reason


def test_reals_survive_bit_for_bit() -> None:
    rng = random.Random(5)
    for _ in range(3000):
        value = struct.unpack(">d", rng.randbytes(8))[0]
        if not math.isnan(value):
            assert struct.pack(">d", real(real_octets(value), 0)) == struct.pack(">d", value)


def test_whole_numbers_of_every_size() -> None:
    rng = random.Random(6)
    for low, high in (
        (0, 0),
        (0, 1),
        (0, 5),
        (1, 15),
        (0, 254),
        (0, 255),
        (0, 256),
        (1, 65535),
        (1, 65536),
        (0, 2**32 - 1),
        (0, 2**40 - 1),
    ):
        for value in {low, high, rng.randint(low, high)}:
            for shift in range(8):
                writer = Writer()
                writer.bits(0, shift)
                writer.whole_number(value, low, high)
                reader = Reader(writer.finish())
                reader.bits(shift)
                assert reader.whole_number(low, high) == value
    with pytest.raises(DecodeError, match=r"15 is outside 0\.\.5|outside"):
        Reader(b"\xe0").whole_number(0, 5)


@pytest.mark.parametrize("count", [1, 127, 128, 16383, 16384, 16385, 65535, 65536, 70000])
def test_records_of_any_length(count: int) -> None:
    rng = random.Random(count)
    values = tuple(rng.choice([None, 5, 70000, 2.5]) for _ in range(count))
    message = Format1([Record(values)], None, 4000)
    assert decode_message(encode_message(message, STANDARD), STANDARD) == message


def test_labels_beyond_16k() -> None:
    labels = tuple(label_of({"distBinX": 1 + i % 65535}) for i in range(16400))
    message = Format1([Record(tuple(range(16400)))], (Measurement("X.Dist", None, labels),), 1)
    assert decode_message(encode_message(message, STANDARD), STANDARD) == message


def test_too_many_items_are_refused() -> None:
    values = (None,) * 65536
    with pytest.raises(DecodeError) as caught:
        decode_message(
            encode_message(Format1([Record(values), Record(values), Record(values)], None, None), STANDARD), STANDARD
        )
    assert caught.value.reason == "too_many_items"


def test_value_counts_must_fit_the_information_list() -> None:
    measurements = (Measurement("RRU.PrbTotDl", None, (label_of({"noLabel": "true"}),)),)
    for values in ((1, 2), (1, 2, 3)):
        with pytest.raises(DecodeError) as caught:
            decode_message(encode_message(Format1([Record(values)], measurements, 1000), STANDARD), STANDARD)
        assert caught.value.reason == "value_count_mismatch"


def test_unknown_extensions_are_skipped_by_their_length() -> None:
    writer = Writer()
    writer.bits(1, 1)  # the message is extended
    writer.choice(0, 2)
    writer.bits(0b101, 3)  # Format 1 extended, granularity only
    writer.whole_number(1, 1, 65535)
    writer.bits(0b10, 2)  # the record is extended
    writer.length(1)
    writer.bits(0, 3)
    writer.whole_number(42, 0, 0xFFFFFFFF)
    writer.additions([None, b"unknown"])
    writer.whole_number(1000, 1, 0xFFFFFFFF)
    writer.additions([bytes(200)])
    writer.additions([b"x", None, b"y"])
    message = decode_message(writer.finish(), STANDARD)
    assert to_json(message) == {"format": 1, "measData": [{"measRecord": [["integer", 42]]}], "granulPeriod": 1000}


def test_flexric_sends_measurement_id_65536_as_0() -> None:
    message = Format1([Record((1,))], (Measurement("", 65536, (label_of({"noLabel": "true"}),)),), 1000)
    encoded = encode_message(message, "kpm_v3.00_flexric")
    assert bytes.fromhex("300100") in encoded
    assert decode_message(encoded, "kpm_v3.00_flexric") == message


def test_the_cache_stays_within_its_bound_and_changes_nothing() -> None:
    cache = TailCache(max_bytes=4000, max_tail_bytes=1000)
    rng = random.Random(3)
    for _ in range(400):
        count = rng.randint(1, 40)
        measurements = tuple(
            Measurement(f"DRB.M{rng.randrange(30)}", None, (label_of({"noLabel": "true"}),)) for _ in range(count)
        )
        message = Format1([Record(tuple(rng.randrange(2**32) for _ in range(count)))], measurements, rng.randint(1, 5000))
        encoded = encode_message(message, STANDARD)
        assert decode_message(encoded, STANDARD, cache) == message == decode_message(encoded, STANDARD, cache)
        assert cache.size_bytes <= 4000
    cache.clear()
    assert cache.size_bytes == 0
