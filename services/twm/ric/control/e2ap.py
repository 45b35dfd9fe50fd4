"""RICcontrolRequest and its outcomes in E2AP (O-RAN.WG3.E2AP clauses 9.1.2.5 to 9.1.2.7), aligned PER, through pycrate."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from twm.core.errors import DecodeError
from twm.core.per import MAX_BYTES

_LOCK = threading.Lock()
_PROCEDURE_RIC_CONTROL = 4
_REQUEST_ID, _FUNCTION_ID, _HEADER, _MESSAGE, _ACK_REQUEST, _CAUSE, _OUTCOME = 29, 5, 22, 23, 21, 1, 32


@dataclass(frozen=True, slots=True)
class ControlOutcome:
    """RICcontrolAcknowledge or RICcontrolFailure."""

    acknowledged: bool
    requestor_id: int
    instance_id: int
    cause: str
    """Of a failure, e.g. "ricRequest control-failed-to-execute"; empty: none was given."""


@cache
def load_e2ap() -> Any:
    """Import pycrate's E2AP module (0.2 s) and return its E2AP-PDU object, one mutable global: use it under the lock."""
    from pycrate_asn1dir import E2AP

    return E2AP.E2AP_PDU_Descriptions.E2AP_PDU


def encode_control_request(requestor_id: int, instance_id: int, function_id: int, header: bytes, message: bytes) -> bytes:
    """An E2AP PDU with a RICcontrolRequest that asks for an acknowledgement."""
    elements: list[tuple[int, str, Any]] = [
        (_REQUEST_ID, "RICrequestID", {"ricRequestorID": requestor_id, "ricInstanceID": instance_id}),
        (_FUNCTION_ID, "RANfunctionID", function_id),
        (_HEADER, "RICcontrolHeader", header),
        (_MESSAGE, "RICcontrolMessage", message),
        (_ACK_REQUEST, "RICcontrolAckRequest", "ack"),
    ]
    body = {"protocolIEs": [{"id": n, "criticality": "reject", "value": (name, value)} for n, name, value in elements]}
    outer = {"procedureCode": _PROCEDURE_RIC_CONTROL, "criticality": "reject", "value": ("RICcontrolRequest", body)}
    with _LOCK:
        codec = load_e2ap()
        codec.set_val(("initiatingMessage", outer))
        return bytes(codec.to_aper())


def decode_control_outcome(pdu: bytes) -> ControlOutcome:
    """Decode an E2AP PDU that must be a RICcontrolAcknowledge or RICcontrolFailure. Raises DecodeError."""
    if len(pdu) > MAX_BYTES:
        raise DecodeError(f"E2AP PDU: {len(pdu)} bytes, more than {MAX_BYTES}", reason="too_large")
    try:
        kind, outer = _decode(pdu)
        name, body = outer["value"]
        elements = {element["id"]: element["value"][1] for element in body["protocolIEs"]}
        request = elements[_REQUEST_ID]
        cause = elements.get(_CAUSE)
        outcome = ControlOutcome(
            acknowledged=name == "RICcontrolAcknowledge",
            requestor_id=int(request["ricRequestorID"]),
            instance_id=int(request["ricInstanceID"]),
            cause=" ".join(str(part) for part in cause)[:160] if isinstance(cause, tuple) else "",
        )
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise DecodeError("E2AP PDU: not the structure of a RIC control outcome", reason="malformed_e2ap") from error
    expected = {"RICcontrolAcknowledge": "successfulOutcome", "RICcontrolFailure": "unsuccessfulOutcome"}
    if expected.get(str(name)) != kind:
        raise DecodeError(
            f"E2AP PDU: {str(kind)[:32]} {str(name)[:64]}, expected a RIC control outcome", reason="not_ric_control"
        )
    return outcome


def _decode(pdu: bytes) -> Any:
    with _LOCK:
        codec = load_e2ap()
        from pycrate_asn1rt.codecs import ASN1CodecPER

        depth = len(ASN1CodecPER._off)
        try:
            codec.from_aper(pdu)
            return codec.get_val()
        except Exception as error:  # pycrate lets out whatever its parser meets
            raise DecodeError(f"E2AP PDU: {str(error)[:200]}", reason="malformed_e2ap") from error
        finally:
            del ASN1CodecPER._off[depth:]  # pycrate leaves its offsets behind when it raises
