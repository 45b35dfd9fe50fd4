"""MeasurementLabel and MeasurementType (O-RAN.WG3.E2SM-KPM clauses 8.3.9 to 8.3.11)."""

from __future__ import annotations

from typing import Any

from twm.core.e2sm.cell_id import cell_key, read_cgi, write_cgi
from twm.core.e2sm.types import Label
from twm.core.per import Reader, Reason, printable
from twm.core.per_writer import Writer

MEMBERS = (
    "noLabel",
    "plmnID",
    "sliceID",
    "fiveQI",
    "qFI",
    "qCI",
    "qCImax",
    "qCImin",
    "aRPmax",
    "aRPmin",
    "bitrateRange",
    "layerMU-MIMO",
    "sUM",
    "distBinX",
    "distBinY",
    "distBinZ",
    "preLabelOverride",
    "startEndInd",
    "min",
    "max",
    "avg",
)
"""Members in the order of their presence bits, most significant first."""
ADDITIONS = ("ssbIndex", "nonGoB-BFmode-Index", "mIMO-mode-Index", "cellGlobalID", "beamID")
"""Members behind the extension marker (the first three v2.03 on, the others v4 on)."""
_BEAMS = (0, 63)
"""NR-SSB-Index."""

TRUE = ("true",)
START_END = ("start", "end")
FLAGS = frozenset(("noLabel", "sUM", "preLabelOverride", "min", "max", "avg"))
NUMBERS = {
    "fiveQI": (0, 255),
    "qFI": (0, 63),
    "aRPmax": (1, 15),
    "aRPmin": (1, 15),
    "bitrateRange": (1, 65535),
    "layerMU-MIMO": (1, 65535),
    "distBinX": (1, 65535),
    "distBinY": (1, 65535),
    "distBinZ": (1, 65535),
    "ssbIndex": (1, 65535),
    "nonGoB-BFmode-Index": (1, 65535),
    "mIMO-mode-Index": (1, 2),
}
"""Extensible integers: bounds of the root."""
QCIS = frozenset(("qCI", "qCImax", "qCImin"))

NO_LABEL = Label(no_label=True, json={"noLabel": "true"})
_NO_LABEL_BITS = 1 << (len(MEMBERS) - 1)


def read_label(reader: Reader) -> Label:
    """One MeasurementLabel."""
    head = reader.bits(1 + len(MEMBERS))
    present = head & ((1 << len(MEMBERS)) - 1)
    extended = head >> len(MEMBERS)
    if present == _NO_LABEL_BITS and not extended:
        reader.enumerated(TRUE)
        return NO_LABEL
    reader.spend(1)
    json: dict[str, Any] = {}
    for index, name in enumerate(MEMBERS):
        if present >> (len(MEMBERS) - 1 - index) & 1:
            json[name] = _member(reader, name)
    if extended:
        for index, part in reader.additions().items():
            if index < len(ADDITIONS):
                json[ADDITIONS[index]] = _addition(part, ADDITIONS[index])
                part.finish()
    return label_of(json)


def _addition(reader: Reader, name: str) -> Any:
    if name == "cellGlobalID":
        return read_cgi(reader)
    if name == "beamID":
        if reader.choice(1):
            reader.fail(Reason.UNKNOWN_CHOICE, "beam id is not of NR")
        return ["nR-Beam-ID", reader.whole_number(*_BEAMS)]
    return reader.extensible_number(*NUMBERS[name])


def write_addition(writer: Writer, name: str, value: Any) -> None:
    """The mirror of what `read_label` reads behind the extension marker."""
    if name == "cellGlobalID":
        write_cgi(writer, value)
    elif name == "beamID":
        writer.bits(0, 1)
        writer.whole_number(value[1], *_BEAMS)
    else:
        writer.extensible_number(value, *NUMBERS[name])


def label_of(json: dict[str, Any]) -> Label:
    """A Label from its members by ASN.1 name."""
    s_nssai = json.get("sliceID")
    return Label(
        no_label="noLabel" in json,
        sst=None if s_nssai is None else int(s_nssai["sST"], 16),
        sd=None if s_nssai is None else s_nssai.get("sD"),
        plmn=json.get("plmnID"),
        five_qi=json.get("fiveQI"),
        qfi=json.get("qFI"),
        cell=cell_key(json["cellGlobalID"]) if "cellGlobalID" in json else None,
        json=json,
    )


def _member(reader: Reader, name: str) -> Any:
    if name in FLAGS:
        return reader.enumerated(TRUE)
    if name in NUMBERS:
        low, high = NUMBERS[name]
        return reader.extensible_number(low, high)
    if name in QCIS:
        return reader.octet()
    if name == "plmnID":
        return reader.octets(3).hex()
    if name == "sliceID":
        return read_s_nssai(reader)
    return reader.enumerated(START_END)


def read_s_nssai(reader: Reader) -> dict[str, str]:
    """S-NSSAI: SST, and SD where sent."""
    extended, with_sd = reader.bits(1), reader.bits(1)
    json = {"sST": f"{reader.bits(8):02x}"}
    if with_sd:
        json["sD"] = reader.octets(3).hex()
    if extended:
        reader.additions()
    return json


def read_measurement_type(reader: Reader, zero_id_is_65536: bool) -> tuple[str, int | None]:
    """MeasurementType: (name, None), or ("", id). FlexRIC keeps ids in 16 bits and so sends 65536 as 0."""
    kind = reader.choice(2)
    if kind == 0:
        raw = reader.counted_octets() if reader.bits(1) else reader.octets(reader.whole_number(1, 150))
        return printable(raw, reader.base + reader.pos - len(raw) * 8), None
    if kind == 1:
        meas_id = reader.extensible_number(1, 65536)
        return "", 65536 if meas_id == 0 and zero_id_is_65536 else meas_id
    reader.fail(Reason.UNKNOWN_CHOICE, f"measurement type {kind} is not known")
