"""RICindication through pycrate."""

from __future__ import annotations

import random

import pytest
from pycrate_asn1rt.codecs import ASN1CodecPER

from twm.core.errors import DecodeError
from twm.ingester.kpm.e2ap import decode_ric_indication, encode_ric_indication, load_e2ap
from twm.ingester.kpm.types import RicIndication

INDICATION = RicIndication(
    ric_request_id=123, instance_id=4, ran_function_id=2, action_id=1, sn=65535, header=b"header", message=b"m" * 400
)


def test_round_trip() -> None:
    for indication in (INDICATION, RicIndication(0, 0, 0, 0, None, b"h", bytes(70000))):
        assert decode_ric_indication(encode_ric_indication(indication)) == indication


def test_damage_is_a_decode_error_and_leaves_nothing_behind() -> None:
    encoded, rng, reasons = encode_ric_indication(INDICATION), random.Random(2), set()
    for _ in range(600):
        broken = bytearray(encoded)
        for _ in range(rng.randint(1, 3)):
            broken[rng.randrange(60)] ^= 1 << rng.randrange(8)
        try:
            decode_ric_indication(bytes(broken[: rng.randint(0, len(broken))]) if rng.random() < 0.3 else bytes(broken))
        except DecodeError as error:
            reasons.add(error.reason)
    assert {"malformed_e2ap", "missing_e2ap_ie"} <= reasons
    assert ASN1CodecPER._off == []
    assert decode_ric_indication(encoded) == INDICATION


def test_other_procedures_and_trailing_bytes_are_refused() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_ric_indication(encode_ric_indication(INDICATION) + b"\0")
    assert caught.value.reason == "trailing_bytes"
    load_e2ap().set_val(
        (
            "initiatingMessage",
            {"procedureCode": 3, "criticality": "ignore", "value": ("ResetRequest", {"protocolIEs": []})},
        )
    )
    reset = load_e2ap().to_aper()
    with pytest.raises(DecodeError) as caught:
        decode_ric_indication(reset)
    assert caught.value.reason in ("not_ric_indication", "malformed_e2ap")


def test_too_large_is_refused_before_parsing() -> None:
    with pytest.raises(DecodeError) as caught:
        decode_ric_indication(bytes((1 << 20) + 1))
    assert caught.value.reason == "too_large"
