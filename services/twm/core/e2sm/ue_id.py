"""UEID, every choice (O-RAN.WG3.E2SM clause 6.2.2.6). Bit strings of one size are integers; of several, [value, bits]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twm.core.e2sm.types import UeId
from twm.core.per import Reader, Reason

Fields = dict[str, Any]
_U32 = (0, 2**32 - 1)
_U40 = (0, 2**40 - 1)
_X2AP = (0, 4095)


def read_ue_id(reader: Reader) -> UeId:
    """One UEID."""
    index = reader.choice(len(_KINDS))
    if index >= len(_KINDS):
        reader.fail(Reason.UNKNOWN_CHOICE, f"UE id kind {index} is not known")
    kind, read, prefix, member = _KINDS[index]
    fields = read(reader)
    ran = fields.get("ran-UEID")
    return UeId(f"ran:{ran}" if ran is not None else f"{prefix}:{fields[member]}", kind, fields)


def _gnb(reader: Reader) -> Fields:
    extended, present = reader.bits(1), reader.bits(5)
    fields: Fields = {"amf-UE-NGAP-ID": reader.whole_number(*_U40), "guami": _guami(reader)}
    if present & 16:
        count = reader.whole_number(1, 4)
        fields["gNB-CU-UE-F1AP-ID-List"] = [_id_item(reader, "gNB-CU-UE-F1AP-ID") for _ in range(count)]
    if present & 8:
        fields["gNB-CU-CP-UE-E1AP-ID-List"] = _e1ap_list(reader)
    if present & 4:
        fields["ran-UEID"] = reader.octets(8).hex()
    if present & 2:
        fields["m-NG-RAN-UE-XnAP-ID"] = reader.whole_number(*_U32)
    if present & 1:
        fields["globalGNB-ID"] = _global_gnb_id(reader)
    if extended:
        _node_id_addition(reader, fields)
    return fields


def _gnb_du(reader: Reader) -> Fields:
    return _one_id_and_ran(reader, "gNB-CU-UE-F1AP-ID")


def _gnb_cu_up(reader: Reader) -> Fields:
    return _one_id_and_ran(reader, "gNB-CU-CP-UE-E1AP-ID")


def _one_id_and_ran(reader: Reader, name: str) -> Fields:
    extended, with_ran = reader.bits(1), reader.bits(1)
    fields: Fields = {name: reader.whole_number(*_U32)}
    if with_ran:
        fields["ran-UEID"] = reader.octets(8).hex()
    if extended:
        reader.additions()
    return fields


def _ng_enb(reader: Reader) -> Fields:
    extended, present = reader.bits(1), reader.bits(3)
    fields: Fields = {"amf-UE-NGAP-ID": reader.whole_number(*_U40), "guami": _guami(reader)}
    if present & 4:
        fields["ng-eNB-CU-UE-W1AP-ID"] = reader.whole_number(*_U32)
    if present & 2:
        fields["m-NG-RAN-UE-XnAP-ID"] = reader.whole_number(*_U32)
    if present & 1:
        fields["globalNgENB-ID"] = _global_ng_enb_id(reader)
    if extended:
        _node_id_addition(reader, fields)
    return fields


def _ng_enb_du(reader: Reader) -> Fields:
    return _id_item(reader, "ng-eNB-CU-UE-W1AP-ID")


def _en_gnb(reader: Reader) -> Fields:
    extended, present = reader.bits(1), reader.bits(4)
    fields: Fields = {"m-eNB-UE-X2AP-ID": reader.whole_number(*_X2AP)}
    if present & 8:
        fields["m-eNB-UE-X2AP-ID-Extension"] = reader.extensible_number(*_X2AP)
    fields["globalENB-ID"] = _global_enb_id(reader)
    if present & 4:
        fields["gNB-CU-UE-F1AP-ID"] = reader.whole_number(*_U32)
    if present & 2:
        fields["gNB-CU-CP-UE-E1AP-ID-List"] = _e1ap_list(reader)
    if present & 1:
        fields["ran-UEID"] = reader.octets(8).hex()
    if extended:
        reader.additions()
    return fields


def _enb(reader: Reader) -> Fields:
    extended, present = reader.bits(1), reader.bits(3)
    fields: Fields = {"mME-UE-S1AP-ID": reader.whole_number(*_U32), "gUMMEI": _gummei(reader)}
    if present & 4:
        fields["m-eNB-UE-X2AP-ID"] = reader.whole_number(*_X2AP)
    if present & 2:
        fields["m-eNB-UE-X2AP-ID-Extension"] = reader.extensible_number(*_X2AP)
    if present & 1:
        fields["globalENB-ID"] = _global_enb_id(reader)
    if extended:
        reader.additions()
    return fields


_KINDS: tuple[tuple[str, Callable[[Reader], Fields], str, str], ...] = (
    ("gNB-UEID", _gnb, "amf", "amf-UE-NGAP-ID"),
    ("gNB-DU-UEID", _gnb_du, "du", "gNB-CU-UE-F1AP-ID"),
    ("gNB-CU-UP-UEID", _gnb_cu_up, "cuup", "gNB-CU-CP-UE-E1AP-ID"),
    ("ng-eNB-UEID", _ng_enb, "amf", "amf-UE-NGAP-ID"),
    ("ng-eNB-DU-UEID", _ng_enb_du, "w1ap", "ng-eNB-CU-UE-W1AP-ID"),
    ("en-gNB-UEID", _en_gnb, "x2ap", "m-eNB-UE-X2AP-ID"),
    ("eNB-UEID", _enb, "mme", "mME-UE-S1AP-ID"),
)


def _id_item(reader: Reader, name: str) -> Fields:
    extended = reader.bits(1)
    fields: Fields = {name: reader.whole_number(*_U32)}
    if extended:
        reader.additions()
    return fields


def _e1ap_list(reader: Reader) -> list[Fields]:
    return [_id_item(reader, "gNB-CU-CP-UE-E1AP-ID") for _ in range(reader.whole_number(1, 65535))]


def _guami(reader: Reader) -> Fields:
    extended = reader.bits(1)
    fields: Fields = {
        "pLMNIdentity": reader.octets(3).hex(),
        "aMFRegionID": reader.bit_string(8),
        "aMFSetID": reader.bit_string(10),
        "aMFPointer": reader.bit_string(6),
    }
    if extended:
        reader.additions()
    return fields


def _gummei(reader: Reader) -> Fields:
    extended = reader.bits(1)
    fields: Fields = {"pLMN-Identity": reader.octets(3).hex()}
    fields["mME-Group-ID"] = f"{reader.bits(16):04x}"
    fields["mME-Code"] = f"{reader.bits(8):02x}"
    if extended:
        reader.additions()
    return fields


def _global_gnb_id(reader: Reader) -> Fields:
    extended = reader.bits(1)
    fields: Fields = {"pLMNIdentity": reader.octets(3).hex()}
    if reader.choice(1):
        reader.fail(Reason.UNKNOWN_CHOICE, "gNB id kind is not known")
    size = reader.whole_number(22, 32)
    fields["gNB-ID"] = ["gNB-ID", [reader.bit_string(size), size]]
    if extended:
        reader.additions()
    return fields


def _global_ng_enb_id(reader: Reader) -> Fields:
    extended = reader.bits(1)
    fields: Fields = {"pLMNIdentity": reader.octets(3).hex()}
    index = reader.choice(3)
    if index > 2:
        reader.fail(Reason.UNKNOWN_CHOICE, f"ng-eNB id kind {index} is not known")
    name, size = (("macroNgENB-ID", 20), ("shortMacroNgENB-ID", 18), ("longMacroNgENB-ID", 21))[index]
    fields["ngENB-ID"] = [name, reader.bit_string(size)]
    if extended:
        reader.additions()
    return fields


def _global_enb_id(reader: Reader) -> Fields:
    extended = reader.bits(1)
    fields: Fields = {"pLMNIdentity": reader.octets(3).hex()}
    index = reader.choice(2)
    if index > 3:
        reader.fail(Reason.UNKNOWN_CHOICE, f"eNB id kind {index} is not known")
    name, size = (("macro-eNB-ID", 20), ("home-eNB-ID", 28), ("short-Macro-eNB-ID", 18), ("long-Macro-eNB-ID", 21))[index]
    if index < 2:
        fields["eNB-ID"] = [name, reader.bit_string(size)]
    else:
        part = reader.open_type()
        fields["eNB-ID"] = [name, part.bit_string(size)]
        part.finish()
    if extended:
        reader.additions()
    return fields


def _node_id_addition(reader: Reader, fields: Fields) -> None:
    part = reader.additions().get(0)
    if part is None:
        return
    index = part.choice(2)
    if index > 1:
        part.fail(Reason.UNKNOWN_CHOICE, f"NG-RAN node id kind {index} is not known")
    name, read = (("gNB", _global_gnb_id), ("ng-eNB", _global_ng_enb_id))[index]
    fields["globalNG-RANNode-ID"] = [name, read(part)]
    part.finish()
