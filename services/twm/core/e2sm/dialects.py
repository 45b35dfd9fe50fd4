"""The KPM dialects: how long the time stamp is and where the extension marker of the message choice stands.

The O-RAN text puts Format 3 behind the marker; FlexRIC v2.03/v3.00 puts the marker behind Format 3. A Format 1 message of
one, read with the rules of the other, can parse to nonsense: the dialect is configured per node (network.yaml).

All that v4 to v7 add to indications stands behind extension markers, so that their messages are read by the rules of v3.00:
labels cellGlobalID and beamID and the value notSatisfied (v4), a job id in the header and Format 255 of many jobs (v5; Format
255 is refused, it comes only to subscriptions of style 255), event trigger Format 2 (v7).
"""

from __future__ import annotations

from dataclasses import dataclass

from twm.core.e2sm.types import Clock
from twm.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Dialect:
    """One dialect."""

    name: str
    timestamp_bytes: int
    """Length of colletStartTime."""
    format3_in_root: bool
    """Format 3 stands before the extension marker of the message choice."""
    clock: Clock
    """Which clock to believe when a header's time is plausible on both and nothing else decides."""


DIALECTS = {
    d.name: d
    for d in (
        Dialect("kpm_v2.01_standard", 4, False, "ntp"),
        Dialect("kpm_v3.00_standard", 8, False, "ntp"),
        Dialect("kpm_v4.00_standard", 8, False, "ntp"),
        Dialect("kpm_v5.00_standard", 8, False, "ntp"),
        Dialect("kpm_v2.03_flexric", 4, True, "flexric"),
        Dialect("kpm_v3.00_flexric", 8, True, "flexric"),
    )
}


def dialect_of(name: str) -> Dialect:
    """The dialect of that name. Raises InvalidInputError listing the known ones."""
    try:
        return DIALECTS[name]
    except KeyError:
        raise InvalidInputError(f"dialect: {name[:64]!r} is not one of {', '.join(DIALECTS)}", reason="bad_dialect") from None
