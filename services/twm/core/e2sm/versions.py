"""Which KPM dialects a node's RAN function definition allows, told from its object identifier.

O-RAN's identifiers (1.3.6.1.4.1.53148.1.VERSION.2.MODEL; KPM is model 2) do not tell every version apart: nodes announce
version 2 with the 4-byte time stamps of v2 and with the 8-byte ones of v3 to v7. The dialect stays what the operator configured
for the node; the identifier can only contradict it.
"""

from __future__ import annotations

import re

from twm.core.e2sm.dialects import DIALECTS
from twm.core.errors import InvalidInputError
from twm.core.text import shown

_OID = re.compile(r"1\.3\.6\.1\.4\.1\.53148\.1\.(\d{1,5})\.2\.(\d{1,5})")
KPM_MODEL = 2
_READABLE = {2: ("v2", "v3", "v4", "v5"), 3: ("v3", "v4", "v5")}
"""Version arc of the identifier to the dialects it may stand for."""


class UnknownVersion:
    """Reasons of refusal, fit for a metric label."""

    NOT_KPM = "not_kpm"
    UNKNOWN = "unknown_kpm_version"
    CONTRADICTION = "kpm_version_contradicts_dialect"


def kpm_dialects(oid: str) -> tuple[str, ...]:
    """Dialects that a node with this identifier may speak. Raises InvalidInputError with a reason of UnknownVersion."""
    found = _OID.fullmatch(oid.strip())
    if found is None or int(found[2]) != KPM_MODEL:
        raise InvalidInputError(
            f"ranFunction-E2SM-OID: {shown(oid, 64)} is not O-RAN's of E2SM-KPM (1.3.6.1.4.1.53148.1.VERSION.2.2)",
            reason=UnknownVersion.NOT_KPM,
        )
    majors = _READABLE.get(int(found[1]))
    if majors is None:
        raise InvalidInputError(
            f"ranFunction-E2SM-OID: {oid.strip()} says E2SM-KPM version {found[1]}; versions 2 to 5 are read, "
            "announced as 1.3.6.1.4.1.53148.1.2.2.2 or 1.3.6.1.4.1.53148.1.3.2.2",
            reason=UnknownVersion.UNKNOWN,
        )
    return tuple(name for name in DIALECTS if name.startswith(tuple(f"kpm_{major}." for major in majors)))


def check_kpm_dialect(oid: str, dialect: str) -> None:
    """Raise InvalidInputError where the node's identifier is unknown or contradicts its configured dialect."""
    allowed = kpm_dialects(oid)
    if dialect not in allowed:
        raise InvalidInputError(
            f"kpm_dialect: {dialect[:64]!r} is configured, but the node announces {oid.strip()}; "
            f"expected one of {', '.join(allowed)}",
            reason=UnknownVersion.CONTRADICTION,
        )
