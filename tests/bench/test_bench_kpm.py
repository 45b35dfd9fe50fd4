"""Decoding speed of Format 1 against xdevsm's C library (asn1c) called through ctypes, as ratios measured in one run.

Both sides turn bytes into Python values: for C the decode call, reading each value out of its structs, and the free. The
decode call and free alone are printed beside it. A ratio of 2 is the bound; below 1 we are faster.
"""

from __future__ import annotations

import ctypes
import random
import time
from collections.abc import Callable

import pytest
import xdevsm_kpm

from twm.core.e2sm.labels import NO_LABEL
from twm.ingester.kpm import decode_message
from twm.ingester.kpm.types import Format1, Measurement, Record
from twm_twin.e2.kpm_encoder import encode_message

pytestmark = pytest.mark.bench
DIALECT = "kpm_v3.00_standard"
BOUND = 2.0
DISTINCT = 64


def _messages(value_count: int) -> list[bytes]:
    rng = random.Random(value_count)
    measurements = tuple(Measurement(f"DRB.Measurement{i:02d}", None, (NO_LABEL,)) for i in range(value_count))
    out = []
    for _ in range(DISTINCT):
        values = tuple(rng.randrange(2**24) if i % 2 else rng.uniform(0, 1e5) for i in range(value_count))
        out.append(encode_message(Format1([Record(values)], measurements, 1000), DIALECT))
    return out


def _seconds(use: Callable[[bytes], object], messages: list[bytes], repeats: int) -> float:
    """Least time a message, of `repeats` passes over distinct messages."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        for message in messages:
            use(message)
        best = min(best, (time.perf_counter() - begin) / len(messages))
    return best


@pytest.mark.parametrize("value_count", [8, 80])
def test_decode_speed(value_count: int) -> None:
    decode, free = xdevsm_kpm.load()
    messages = _messages(value_count)

    def c_call(data: bytes) -> None:
        message = decode(len(data), data)
        free(ctypes.byref(message))

    def c_values(data: bytes) -> list[list[int | float | None]]:
        message = decode(len(data), data)
        form = message.data.frm_1
        values = [xdevsm_kpm.values_of(form.meas_data_lst[i]) for i in range(form.meas_data_lst_len)]
        free(ctypes.byref(message))
        return values

    def ours(data: bytes) -> object:
        return decode_message(data, DIALECT)

    def uncached(data: bytes) -> object:
        return decode_message(data, DIALECT, cache=None)

    with xdevsm_kpm.muted():
        c_call_s = _seconds(c_call, messages, 12)
        c_values_s = _seconds(c_values, messages, 12)
    ours_s, uncached_s = _seconds(ours, messages, 12), _seconds(uncached, messages, 12)
    print(
        f"\n{value_count} values, {len(messages[0])} bytes: C {c_values_s * 1e6:.1f} us with reading values out, "
        f"{c_call_s * 1e6:.1f} us without; ours {ours_s * 1e6:.1f} us with a repeated information list, "
        f"{uncached_s * 1e6:.1f} us uncached; ratios {ours_s / c_values_s:.2f} and {uncached_s / c_values_s:.2f} "
        f"(to the bare call {ours_s / c_call_s:.2f} and {uncached_s / c_call_s:.2f})"
    )
    assert ours_s <= BOUND * c_values_s
    assert uncached_s <= BOUND * c_values_s
