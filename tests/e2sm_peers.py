"""E2 service models through asn1tools: an aligned-PER codec of other origin, on our own description of the types."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import asn1tools

_DATA = Path(__file__).parent / "contract" / "data"
_LATE_TESTS = "ul-rSRP True, cQI True, fiveQI True, qCI True, sNSSAI True"
_STANDARD = {
    "MARKER_FORMATS": "..., f4 Format4, f5 Format5",
    "MARKER_BINS": "..., distMeasBinRangeInfo BinRanges OPTIONAL",
    "MARKER_COND_BINS": "..., binRangeDef BinRange OPTIONAL",
    "MARKER_TESTS": f"..., {_LATE_TESTS}",
}
_FLEXRIC = {
    "MARKER_FORMATS": "f4 Format4, f5 Format5, ...",
    "MARKER_BINS": "distMeasBinRangeInfo BinRanges OPTIONAL, ...",
    "MARKER_COND_BINS": "binRangeDef BinRange OPTIONAL, ...",
    "MARKER_TESTS": f"{_LATE_TESTS}, ...",
}


@cache
def kpm(dialect: str) -> Any:
    """The E2SM-KPM module in the rules of a dialect."""
    text = (_DATA / "e2sm_kpm.asn").read_text()
    for marker, replacement in (_FLEXRIC if dialect.endswith("flexric") else _STANDARD).items():
        text = text.replace(marker, replacement)
    return asn1tools.compile_string(text, "per")


@cache
def rc() -> Any:
    """The E2SM-RC module."""
    return asn1tools.compile_string((_DATA / "e2sm_rc.asn").read_text(), "per")
