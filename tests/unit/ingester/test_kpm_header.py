"""Header clocks: which reading of a time stamp is believed."""

from __future__ import annotations

import pytest

from twm.core.e2sm.dialects import DIALECTS
from twm.core.errors import DecodeError, InvalidInputError
from twm.ingester.kpm import decode_header
from twm.ingester.kpm.header import choose_clock, flexric_time_s, ntp_time_s
from twm_twin.e2.kpm_encoder import encode_header, timestamp

NOW_S = 1_795_000_000.25


@pytest.mark.parametrize("clock", ["ntp", "flexric"])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_both_clocks_are_understood_in_every_dialect(dialect: str, clock: str) -> None:
    encoded = encode_header(NOW_S, dialect, clock=clock)
    header = decode_header(encoded, dialect, received_s=NOW_S + 3)
    assert header.clock == clock
    assert header.start_s == pytest.approx(NOW_S, abs=1 if DIALECTS[dialect].timestamp_bytes == 4 else 1e-6)


def test_seconds_that_read_plausibly_on_both_clocks() -> None:
    # find stamps whose little-endian reading, too, lies in 2000..2036
    stamps = (timestamp(s, 4, "ntp") for s in range(1_750_000_000, 1_760_000_000))
    ambiguous = next(raw for raw in stamps if 946_684_800 <= flexric_time_s(raw) < 2_085_978_496)
    ntp, flexric = ntp_time_s(ambiguous), flexric_time_s(ambiguous)
    assert choose_clock(ambiguous, ntp + 10, "flexric") == (ntp, "ntp")
    assert choose_clock(ambiguous, flexric - 10, "ntp") == (flexric, "flexric")
    assert choose_clock(ambiguous, None, "ntp") == (ntp, "ntp")
    assert choose_clock(ambiguous, None, "flexric") == (flexric, "flexric")


def test_an_implausible_time_is_refused() -> None:
    with pytest.raises(DecodeError, match="2036") as caught:
        decode_header(bytes(5), "kpm_v2.01_standard")
    assert caught.value.reason == "bad_time"


def test_strings_have_their_names() -> None:
    strings = ("1.0", "gNB 7", "gNB", "vendor" * 9)
    header = decode_header(encode_header(NOW_S, "kpm_v3.00_standard", strings=strings), "kpm_v3.00_standard")
    assert (header.file_format_version, header.sender_name, header.sender_type, header.vendor_name) == strings


def test_empty_strings_with_and_without_alignment() -> None:
    # X.691 pads before a field of length 0 in the reading of some encoders (pycrate), not in that of others (asn1tools, asn1c)
    for encoded in ("181a91526800000000000000", "181a9152680000000000"):
        raw = bytes.fromhex(encoded)
        for size in range(len(raw), 4, -1):
            try:
                header = decode_header(raw[:size], "kpm_v2.01_standard", received_s=None)
            except DecodeError:
                continue
            assert (header.file_format_version, header.sender_name) == ("", "")
            break
        else:
            pytest.fail("neither reading accepted")


def test_an_unknown_dialect_is_named() -> None:
    with pytest.raises(InvalidInputError, match="kpm_v9"):
        decode_header(bytes(9), "kpm_v9")
