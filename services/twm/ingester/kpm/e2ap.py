"""RICindication of E2AP (O-RAN.WG3.E2AP clause 9.1.2.3), aligned PER, through pycrate.

pycrate's E2AP module takes about 0.2 s to import: it is imported on first use, and a service calls `load_e2ap()` at its
start. Its PDU object is one mutable global, so that a lock serialises all use of it.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from twm.core.errors import DecodeError
from twm.core.per import MAX_BYTES, Reason
from twm.ingester.kpm.types import RicIndication

_LOCK = threading.Lock()
_PROCEDURE_RIC_INDICATION = 5
_REQUEST_ID, _FUNCTION_ID, _ACTION_ID, _SN, _TYPE, _HEADER, _MESSAGE = 29, 5, 15, 27, 28, 25, 26
_NAMES = {
    _REQUEST_ID: "RICrequestID",
    _FUNCTION_ID: "RANfunctionID",
    _ACTION_ID: "RICactionID",
    _TYPE: "RICindicationType",
    _HEADER: "RICindicationHeader",
    _MESSAGE: "RICindicationMessage",
}


@cache
def load_e2ap() -> Any:
    """Import pycrate's E2AP module and return its E2AP-PDU object."""
    from pycrate_asn1dir import E2AP

    return E2AP.E2AP_PDU_Descriptions.E2AP_PDU


def decode_ric_indication(pdu: bytes) -> RicIndication:
    """Decode a whole E2AP PDU that must be a RICindication. Raises DecodeError."""
    if len(pdu) > MAX_BYTES:
        raise DecodeError(f"E2AP PDU: {len(pdu)} bytes, more than {MAX_BYTES}", reason=Reason.TOO_LARGE)
    value = _decode(pdu)
    try:
        kind, outer = value
        name, body = outer["value"]
        elements = {element["id"]: element["value"][1] for element in body["protocolIEs"]}
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise DecodeError("E2AP PDU: not the structure of a RICindication", reason="malformed_e2ap") from error
    if kind != "initiatingMessage" or outer.get("procedureCode") != _PROCEDURE_RIC_INDICATION or name != "RICindication":
        raise DecodeError(f"E2AP PDU: {str(kind)[:32]} {str(name)[:64]}, expected RICindication", reason="not_ric_indication")
    for number, element_name in _NAMES.items():
        if number not in elements:
            raise DecodeError(f"E2AP PDU: {element_name} (id {number}) is missing", reason="missing_e2ap_ie")
    request = elements[_REQUEST_ID]
    indication = RicIndication(
        ric_request_id=request["ricRequestorID"],
        instance_id=request["ricInstanceID"],
        ran_function_id=elements[_FUNCTION_ID],
        action_id=elements[_ACTION_ID],
        sn=elements.get(_SN),
        header=elements[_HEADER],
        message=elements[_MESSAGE],
    )
    if elements[_TYPE] != "report":
        raise DecodeError(f"E2AP PDU: RICindicationType {str(elements[_TYPE])[:16]}, expected report", reason="not_a_report")
    return indication


def encode_ric_indication(indication: RicIndication) -> bytes:
    """Encode an E2AP PDU with a RICindication of type report."""
    elements: list[tuple[int, str, Any]] = [
        (_REQUEST_ID, "RICrequestID", {"ricRequestorID": indication.ric_request_id, "ricInstanceID": indication.instance_id}),
        (_FUNCTION_ID, "RANfunctionID", indication.ran_function_id),
        (_ACTION_ID, "RICactionID", indication.action_id),
    ]
    if indication.sn is not None:
        elements.append((_SN, "RICindicationSN", indication.sn))
    elements += [
        (_TYPE, "RICindicationType", "report"),
        (_HEADER, "RICindicationHeader", indication.header),
        (_MESSAGE, "RICindicationMessage", indication.message),
    ]
    body = {"protocolIEs": [{"id": n, "criticality": "reject", "value": (name, value)} for n, name, value in elements]}
    outer = {"procedureCode": _PROCEDURE_RIC_INDICATION, "criticality": "ignore", "value": ("RICindication", body)}
    with _LOCK:
        codec = load_e2ap()
        codec.set_val(("initiatingMessage", outer))
        return bytes(codec.to_aper())


def _decode(pdu: bytes) -> Any:
    with _LOCK:
        codec = load_e2ap()
        from pycrate_asn1rt.codecs import ASN1CodecPER
        from pycrate_core.charpy import Charpy

        source = Charpy(pdu)
        depth = len(ASN1CodecPER._off)
        try:
            codec.from_aper(source)
            value = codec.get_val()
        except Exception as error:  # pycrate lets out whatever its parser meets
            raise DecodeError(f"E2AP PDU: {str(error)[:200]}", reason="malformed_e2ap") from error
        finally:
            del ASN1CodecPER._off[depth:]  # pycrate leaves its offsets behind when it raises
        left = source.len_bit()
    if left >= 8:
        raise DecodeError(f"E2AP PDU: {left // 8} bytes left after the end", reason=Reason.TRAILING)
    return value
