"""UEID to aligned PER (O-RAN.WG3.E2SM clause 6.2.2.6), from the fields that twm.core.e2sm.ue_id reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twm.core.e2sm.types import UeId
from twm.core.per_writer import Writer

Fields = Mapping[str, Any]
_U32 = (0, 2**32 - 1)
_U40 = (0, 2**40 - 1)
_X2AP = (0, 4095)
_NG_ENB_IDS = (("macroNgENB-ID", 20), ("shortMacroNgENB-ID", 18), ("longMacroNgENB-ID", 21))
_ENB_IDS = (("macro-eNB-ID", 20), ("home-eNB-ID", 28), ("short-Macro-eNB-ID", 18), ("long-Macro-eNB-ID", 21))


def write_ue_id(writer: Writer, ue_id: UeId) -> None:
    """One UEID. Raises KeyError for a missing member, ValueError for one out of range."""
    kinds = list(_KINDS)
    writer.choice(kinds.index(ue_id.kind), len(kinds))
    _KINDS[ue_id.kind](writer, ue_id.fields)


def _gnb(writer: Writer, fields: Fields) -> None:
    node = fields.get("globalNG-RANNode-ID")
    optional = ("gNB-CU-UE-F1AP-ID-List", "gNB-CU-CP-UE-E1AP-ID-List", "ran-UEID", "m-NG-RAN-UE-XnAP-ID", "globalGNB-ID")
    _presence(writer, fields, optional, extended=node is not None)
    writer.whole_number(fields["amf-UE-NGAP-ID"], *_U40)
    _guami(writer, fields["guami"])
    if optional[0] in fields:
        writer.whole_number(len(fields[optional[0]]), 1, 4)
        for item in fields[optional[0]]:
            _id_item(writer, item["gNB-CU-UE-F1AP-ID"])
    if optional[1] in fields:
        _e1ap_list(writer, fields[optional[1]])
    _ran_ue_id(writer, fields)
    if optional[3] in fields:
        writer.whole_number(fields[optional[3]], *_U32)
    if optional[4] in fields:
        _global_gnb_id(writer, fields[optional[4]])
    if node is not None:
        _node_id_addition(writer, node)


def _id_and_ran(name: str) -> Callable[[Writer, Fields], None]:
    def write(writer: Writer, fields: Fields) -> None:
        _presence(writer, fields, ("ran-UEID",))
        writer.whole_number(fields[name], *_U32)
        _ran_ue_id(writer, fields)

    return write


def _ng_enb(writer: Writer, fields: Fields) -> None:
    node = fields.get("globalNG-RANNode-ID")
    optional = ("ng-eNB-CU-UE-W1AP-ID", "m-NG-RAN-UE-XnAP-ID", "globalNgENB-ID")
    _presence(writer, fields, optional, extended=node is not None)
    writer.whole_number(fields["amf-UE-NGAP-ID"], *_U40)
    _guami(writer, fields["guami"])
    for name in optional[:2]:
        if name in fields:
            writer.whole_number(fields[name], *_U32)
    if optional[2] in fields:
        _global_ng_enb_id(writer, fields[optional[2]])
    if node is not None:
        _node_id_addition(writer, node)


def _ng_enb_du(writer: Writer, fields: Fields) -> None:
    _id_item(writer, fields["ng-eNB-CU-UE-W1AP-ID"])


def _en_gnb(writer: Writer, fields: Fields) -> None:
    optional = ("m-eNB-UE-X2AP-ID-Extension", "gNB-CU-UE-F1AP-ID", "gNB-CU-CP-UE-E1AP-ID-List", "ran-UEID")
    _presence(writer, fields, optional)
    writer.whole_number(fields["m-eNB-UE-X2AP-ID"], *_X2AP)
    if optional[0] in fields:
        writer.extensible_number(fields[optional[0]], *_X2AP)
    _global_enb_id(writer, fields["globalENB-ID"])
    if optional[1] in fields:
        writer.whole_number(fields[optional[1]], *_U32)
    if optional[2] in fields:
        _e1ap_list(writer, fields[optional[2]])
    _ran_ue_id(writer, fields)


def _enb(writer: Writer, fields: Fields) -> None:
    optional = ("m-eNB-UE-X2AP-ID", "m-eNB-UE-X2AP-ID-Extension", "globalENB-ID")
    _presence(writer, fields, optional)
    writer.whole_number(fields["mME-UE-S1AP-ID"], *_U32)
    gummei = fields["gUMMEI"]
    writer.bits(0, 1)
    writer.octets(bytes.fromhex(gummei["pLMN-Identity"]))
    writer.bits(int(gummei["mME-Group-ID"], 16), 16)
    writer.bits(int(gummei["mME-Code"], 16), 8)
    if optional[0] in fields:
        writer.whole_number(fields[optional[0]], *_X2AP)
    if optional[1] in fields:
        writer.extensible_number(fields[optional[1]], *_X2AP)
    if optional[2] in fields:
        _global_enb_id(writer, fields[optional[2]])


_KINDS: dict[str, Callable[[Writer, Fields], None]] = {
    "gNB-UEID": _gnb,
    "gNB-DU-UEID": _id_and_ran("gNB-CU-UE-F1AP-ID"),
    "gNB-CU-UP-UEID": _id_and_ran("gNB-CU-CP-UE-E1AP-ID"),
    "ng-eNB-UEID": _ng_enb,
    "ng-eNB-DU-UEID": _ng_enb_du,
    "en-gNB-UEID": _en_gnb,
    "eNB-UEID": _enb,
}


def _presence(writer: Writer, fields: Fields, optional: tuple[str, ...], *, extended: bool = False) -> None:
    writer.bits(extended, 1)
    for name in optional:
        writer.bits(name in fields, 1)


def _ran_ue_id(writer: Writer, fields: Fields) -> None:
    if "ran-UEID" in fields:
        writer.octets(bytes.fromhex(fields["ran-UEID"]))


def _id_item(writer: Writer, value: int) -> None:
    writer.bits(0, 1)
    writer.whole_number(value, *_U32)


def _e1ap_list(writer: Writer, items: list[Fields]) -> None:
    writer.whole_number(len(items), 1, 65535)
    for item in items:
        _id_item(writer, item["gNB-CU-CP-UE-E1AP-ID"])


def _guami(writer: Writer, guami: Fields) -> None:
    writer.bits(0, 1)
    writer.octets(bytes.fromhex(guami["pLMNIdentity"]))
    writer.bit_string(guami["aMFRegionID"], 8)
    writer.bit_string(guami["aMFSetID"], 10)
    writer.bit_string(guami["aMFPointer"], 6)


def _global_gnb_id(writer: Writer, fields: Fields) -> None:
    writer.bits(0, 1)
    writer.octets(bytes.fromhex(fields["pLMNIdentity"]))
    value, size = fields["gNB-ID"][1]
    writer.bits(0, 1)
    writer.whole_number(size, 22, 32)
    writer.bit_string(value, size)


def _global_ng_enb_id(writer: Writer, fields: Fields) -> None:
    writer.bits(0, 1)
    writer.octets(bytes.fromhex(fields["pLMNIdentity"]))
    name, value = fields["ngENB-ID"]
    index = [n for n, _ in _NG_ENB_IDS].index(name)
    writer.choice(index, 3)
    writer.bit_string(value, _NG_ENB_IDS[index][1])


def _global_enb_id(writer: Writer, fields: Fields) -> None:
    writer.bits(0, 1)
    writer.octets(bytes.fromhex(fields["pLMNIdentity"]))
    name, value = fields["eNB-ID"]
    index = [n for n, _ in _ENB_IDS].index(name)
    writer.choice(index, 2)
    if index < 2:
        writer.bit_string(value, _ENB_IDS[index][1])
    else:
        inner = Writer()
        inner.bit_string(value, _ENB_IDS[index][1])
        writer.open_type(inner.finish())


def _node_id_addition(writer: Writer, node: list[Any]) -> None:
    inner = Writer()
    index = ("gNB", "ng-eNB").index(node[0])
    inner.choice(index, 2)
    (_global_gnb_id, _global_ng_enb_id)[index](inner, node[1])
    writer.additions([inner.finish()])
