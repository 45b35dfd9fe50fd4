"""UEID, every choice, from and to aligned PER (O-RAN.WG3.E2SM clause 6.2.2.6).

Each type is written down once, as a codec that reads and writes it. Values are as in JSON: a SEQUENCE is a dict by ASN.1 names,
a CHOICE [name, value], octets hex digits, a BIT STRING of one size an integer, of several sizes [value, bits].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twm.core.e2sm.types import UeId
from twm.core.per import Reader, Reason
from twm.core.per_writer import Writer


class _Codec(NamedTuple):
    read: Callable[[Reader], Any]
    write: Callable[[Writer, Any], None]


class _Member(NamedTuple):
    name: str
    codec: _Codec
    optional: bool = False


def _number(low: int, high: int) -> _Codec:
    return _Codec(lambda r: r.whole_number(low, high), lambda w, value: w.whole_number(value, low, high))


def _octets(count: int) -> _Codec:
    return _Codec(lambda r: r.octets(count).hex(), lambda w, value: w.octets(bytes.fromhex(value)))


def _short_octets(count: int) -> _Codec:
    """At most two octets, which stand unaligned (X.691 clause 17.6)."""
    return _Codec(
        lambda r: f"{r.bits(8 * count):0{2 * count}x}", lambda w, value: w.bits(int.from_bytes(bytes.fromhex(value)), 8 * count)
    )


def _bit_string(count: int) -> _Codec:
    return _Codec(lambda r: r.bit_string(count), lambda w, value: w.bit_string(value, count))


def _bit_string_of(least: int, most: int) -> _Codec:
    def read(reader: Reader) -> list[int]:
        size = reader.whole_number(least, most)
        return [reader.bit_string(size), size]

    def write(writer: Writer, value: list[int]) -> None:
        writer.whole_number(value[1], least, most)
        writer.bit_string(value[0], value[1])

    return _Codec(read, write)


def _list_of(item: _Codec, most: int) -> _Codec:
    def write(writer: Writer, values: list[Any]) -> None:
        writer.whole_number(len(values), 1, most)
        for value in values:
            item.write(writer, value)

    return _Codec(lambda r: [item.read(r) for _ in range(r.whole_number(1, most))], write)


def _choice(what: str, roots: int, *kinds: tuple[str, _Codec]) -> _Codec:
    """`kinds` beyond the first `roots` are extensions, each in an open type."""
    names = [name for name, _ in kinds]

    def read(reader: Reader) -> list[Any]:
        index = reader.choice(roots)
        if index >= len(kinds):
            reader.fail(Reason.UNKNOWN_CHOICE, f"{what} id kind {index} is not known")
        name, codec = kinds[index]
        if index < roots:
            return [name, codec.read(reader)]
        part = reader.open_type()
        value = codec.read(part)
        part.finish()
        return [name, value]

    def write(writer: Writer, value: list[Any]) -> None:
        index = names.index(value[0])
        writer.choice(index, roots)
        if index < roots:
            kinds[index][1].write(writer, value[1])
        else:
            inner = Writer()
            kinds[index][1].write(inner, value[1])
            writer.open_type(inner.finish())

    return _Codec(read, write)


def _sequence(*members: _Member, addition: _Member | None = None) -> _Codec:
    """An extensible SEQUENCE. Of its extension additions the first is `addition`; others are passed over."""
    optional = [member.name for member in members if member.optional]
    masks = {name: 1 << (len(optional) - 1 - i) for i, name in enumerate(optional)}
    plan = [(member.name, member.codec.read, masks.get(member.name, 0)) for member in members]

    def read(reader: Reader) -> dict[str, Any]:
        extended, present = reader.bits(1), reader.bits(len(optional))
        fields: dict[str, Any] = {}
        for name, read_member, mask in plan:
            if not mask or present & mask:
                fields[name] = read_member(reader)
        if extended:
            part = reader.additions().get(0)
            if addition is not None and part is not None:
                fields[addition.name] = addition.codec.read(part)
                part.finish()
        return fields

    def write(writer: Writer, fields: dict[str, Any]) -> None:
        added = addition if addition is not None and addition.name in fields else None
        writer.bits(added is not None, 1)
        for name in optional:
            writer.bits(name in fields, 1)
        for member in members:
            if not member.optional or member.name in fields:
                member.codec.write(writer, fields[member.name])
        if added is not None:
            inner = Writer()
            added.codec.write(inner, fields[added.name])
            writer.additions([inner.finish()])

    return _Codec(read, write)


_U32 = _number(0, 2**32 - 1)
_AMF_UE_ID = _Member("amf-UE-NGAP-ID", _number(0, 2**40 - 1))
_X2AP = _number(0, 4095)
_EXTENDED_X2AP = _Codec(lambda r: r.extensible_number(0, 4095), lambda w, value: w.extensible_number(value, 0, 4095))
_RAN_UE_ID = _Member("ran-UEID", _octets(8), optional=True)
_F1AP = _Member("gNB-CU-UE-F1AP-ID", _U32)
_E1AP = _Member("gNB-CU-CP-UE-E1AP-ID", _U32)
_W1AP = _Member("ng-eNB-CU-UE-W1AP-ID", _U32)
_E1AP_LIST = _Member("gNB-CU-CP-UE-E1AP-ID-List", _list_of(_sequence(_E1AP), 65535), optional=True)
_XNAP = _Member("m-NG-RAN-UE-XnAP-ID", _U32, optional=True)
_GUAMI = _Member(
    "guami",
    _sequence(
        _Member("pLMNIdentity", _octets(3)),
        _Member("aMFRegionID", _bit_string(8)),
        _Member("aMFSetID", _bit_string(10)),
        _Member("aMFPointer", _bit_string(6)),
    ),
)
_GUMMEI = _sequence(
    _Member("pLMN-Identity", _octets(3)), _Member("mME-Group-ID", _short_octets(2)), _Member("mME-Code", _short_octets(1))
)


def _global_id(name: str, choice: _Codec) -> _Codec:
    return _sequence(_Member("pLMNIdentity", _octets(3)), _Member(name, choice))


_GLOBAL_GNB_ID = _global_id("gNB-ID", _choice("gNB", 1, ("gNB-ID", _bit_string_of(22, 32))))
_GLOBAL_NG_ENB_ID = _global_id(
    "ngENB-ID",
    _choice(
        "ng-eNB",
        3,
        ("macroNgENB-ID", _bit_string(20)),
        ("shortMacroNgENB-ID", _bit_string(18)),
        ("longMacroNgENB-ID", _bit_string(21)),
    ),
)
_GLOBAL_ENB_ID = _global_id(
    "eNB-ID",
    _choice(
        "eNB",
        2,
        ("macro-eNB-ID", _bit_string(20)),
        ("home-eNB-ID", _bit_string(28)),
        ("short-Macro-eNB-ID", _bit_string(18)),
        ("long-Macro-eNB-ID", _bit_string(21)),
    ),
)
_NODE_ID = _Member("globalNG-RANNode-ID", _choice("NG-RAN node", 2, ("gNB", _GLOBAL_GNB_ID), ("ng-eNB", _GLOBAL_NG_ENB_ID)))

_GNB = _sequence(
    _AMF_UE_ID,
    _GUAMI,
    _Member("gNB-CU-UE-F1AP-ID-List", _list_of(_sequence(_F1AP), 4), optional=True),
    _E1AP_LIST,
    _RAN_UE_ID,
    _XNAP,
    _Member("globalGNB-ID", _GLOBAL_GNB_ID, optional=True),
    addition=_NODE_ID,
)
_NG_ENB = _sequence(
    _AMF_UE_ID,
    _GUAMI,
    _W1AP._replace(optional=True),
    _XNAP,
    _Member("globalNgENB-ID", _GLOBAL_NG_ENB_ID, optional=True),
    addition=_NODE_ID,
)
_EN_GNB = _sequence(
    _Member("m-eNB-UE-X2AP-ID", _X2AP),
    _Member("m-eNB-UE-X2AP-ID-Extension", _EXTENDED_X2AP, optional=True),
    _Member("globalENB-ID", _GLOBAL_ENB_ID),
    _F1AP._replace(optional=True),
    _E1AP_LIST,
    _RAN_UE_ID,
)
_ENB = _sequence(
    _Member("mME-UE-S1AP-ID", _U32),
    _Member("gUMMEI", _GUMMEI),
    _Member("m-eNB-UE-X2AP-ID", _X2AP, optional=True),
    _Member("m-eNB-UE-X2AP-ID-Extension", _EXTENDED_X2AP, optional=True),
    _Member("globalENB-ID", _GLOBAL_ENB_ID, optional=True),
)

_KINDS = (
    ("gNB-UEID", _GNB, "amf", _AMF_UE_ID.name),
    ("gNB-DU-UEID", _sequence(_F1AP, _RAN_UE_ID), "du", _F1AP.name),
    ("gNB-CU-UP-UEID", _sequence(_E1AP, _RAN_UE_ID), "cuup", _E1AP.name),
    ("ng-eNB-UEID", _NG_ENB, "amf", _AMF_UE_ID.name),
    ("ng-eNB-DU-UEID", _sequence(_W1AP), "w1ap", _W1AP.name),
    ("en-gNB-UEID", _EN_GNB, "x2ap", "m-eNB-UE-X2AP-ID"),
    ("eNB-UEID", _ENB, "mme", "mME-UE-S1AP-ID"),
)
"""(kind, codec, prefix of the key, member of the key where there is no ran-UEID), in the order of the CHOICE."""
_UE_ID = _choice("UE", len(_KINDS), *((kind, codec) for kind, codec, _, _ in _KINDS))
_KEYS = {kind: (prefix, member) for kind, _, prefix, member in _KINDS}


def read_ue_id(reader: Reader) -> UeId:
    """One UEID. Raises DecodeError."""
    kind, fields = _UE_ID.read(reader)
    prefix, member = _KEYS[kind]
    ran = fields.get(_RAN_UE_ID.name)
    return UeId(f"ran:{ran}" if ran is not None else f"{prefix}:{fields[member]}", kind, fields)


def write_ue_id(writer: Writer, ue_id: UeId) -> None:
    """One UEID. Raises KeyError for a missing member, ValueError for a kind that is not known or a value out of range."""
    _UE_ID.write(writer, [ue_id.kind, ue_id.fields])
