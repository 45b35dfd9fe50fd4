"""Cell global ids (O-RAN.WG3.E2SM clause 6.2.2.5) and PLMN identities (TS 38.413 clause 9.3.3.5), read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from twm.core.errors import InvalidInputError
from twm.core.per import Reader, Reason
from twm.core.per_writer import Writer

_MCC, _MNC, _PLMN = re.compile(r"\d{3}", re.ASCII), re.compile(r"\d{2,3}", re.ASCII), re.compile(r"[0-9a-f]{6}")
NR_BITS, EUTRA_BITS = 36, 28


def plmn_octets(mcc: str, mnc: str) -> bytes:
    """The three octets of a PLMN identity. Raises InvalidInputError."""
    if not _MCC.fullmatch(mcc) or not _MNC.fullmatch(mnc):
        raise InvalidInputError(f"plmn: mcc {mcc[:8]!r} and mnc {mnc[:8]!r}, expected 3 and 2 or 3 digits")
    third = mnc[2] if len(mnc) == 3 else "f"
    return bytes.fromhex(f"{mcc[1]}{mcc[0]}{third}{mcc[2]}{mnc[1]}{mnc[0]}")


def plmn_digits(octets: bytes) -> tuple[str, str]:
    """MCC and MNC of the three octets. Raises InvalidInputError where they hold anything but digits."""
    text = octets.hex()
    if len(octets) != 3:
        raise InvalidInputError(f"plmn: {len(octets)} octets, expected 3")
    mcc, mnc = text[1] + text[0] + text[3], text[5] + text[4] + text[2].replace("f", "")
    if not _MCC.fullmatch(mcc) or not _MNC.fullmatch(mnc):
        raise InvalidInputError(f"plmn: {text} does not hold decimal digits")
    return mcc, mnc


@dataclass(frozen=True, slots=True)
class NrCgi:
    """An NR cell."""

    plmn: str
    """PLMN identity as on the wire, six lower-case hex digits."""
    nci: int
    """NR cell identity, 36 bits."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not _PLMN.fullmatch(self.plmn):
            raise InvalidInputError(f"cell plmn: {self.plmn[:16]!r} is not six lower-case hex digits")
        if not 0 <= self.nci < 1 << NR_BITS:
            raise InvalidInputError(f"cell nci: {self.nci} does not fit {NR_BITS} bits")


def read_cgi(reader: Reader) -> list[Any]:
    """CGI: ["nR-CGI", {...}] or ["eUTRA-CGI", {...}] by ASN.1 names."""
    kind = reader.choice(2)
    if kind > 1:
        reader.fail(Reason.UNKNOWN_CHOICE, f"cell global id {kind} is not known")
    extended = reader.bits(1)
    plmn = reader.octets(3).hex()
    name, bits = (("nRCellIdentity", NR_BITS), ("eUTRACellIdentity", EUTRA_BITS))[kind]
    value = reader.bit_string(bits)
    if extended:
        reader.additions()
    return [("nR-CGI", "eUTRA-CGI")[kind], {"pLMNIdentity": plmn, name: value}]


def write_cgi(writer: Writer, json: list[Any]) -> None:
    """The mirror of `read_cgi`."""
    kind = ("nR-CGI", "eUTRA-CGI").index(json[0])
    name, bits = (("nRCellIdentity", NR_BITS), ("eUTRACellIdentity", EUTRA_BITS))[kind]
    writer.choice(kind, 2)
    writer.bits(0, 1)
    writer.octets(bytes.fromhex(json[1]["pLMNIdentity"]))
    writer.bit_string(json[1][name], bits)


def cgi_json(cell: NrCgi) -> list[Any]:
    """A cell in the form `write_cgi` takes."""
    return ["nR-CGI", {"pLMNIdentity": cell.plmn, "nRCellIdentity": cell.nci}]


def cell_key(json: list[Any]) -> str:
    """A cell as one text: PLMN as on the wire and cell identity, in hex: "00f110:00066c000" (E-UTRA: seven digits)."""
    kind, fields = json
    name, bits = (("nRCellIdentity", NR_BITS), ("eUTRACellIdentity", EUTRA_BITS))[kind == "eUTRA-CGI"]
    return f"{fields['pLMNIdentity']}:{fields[name]:0{bits // 4}x}"
