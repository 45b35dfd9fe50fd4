"""Tables in a text, on lines or on one: "slice|kpi|max // urllc|p99|12 ms": each row as fields with the keys of the head."""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_COLUMNS, MAX_ROWS = 12, 60
_RULE = re.compile(r"[\s|:+=-]*")
_ROWS = re.compile(r"\s*(?:\n|//|\\\\|;;|\|\|)\s*")


def rows_as_fields(text: str, known_key: Callable[[str], str]) -> str:
    """The text with the rows of a table as "key=value; ..."; the text itself where it holds none."""
    rows = [row for row in _ROWS.split(text) if row.strip() and not _RULE.fullmatch(row)]
    if len(rows) < 2 or len(rows) > MAX_ROWS:
        return text
    for at, row in enumerate(rows[:-1]):
        for mark in ("|", "\t", ";", ","):
            keys = _columns(row, mark)
            if len(keys) > MAX_COLUMNS or len(keys) < 2 or not all(known_key(key) for key in keys):
                continue
            out = [*rows[:at]]
            for following in rows[at + 1 :]:
                cells = _columns(following, mark)
                if len(cells) != len(keys):
                    return text
                out.append("; ".join(f"{key}={cell}" for key, cell in zip(keys, cells, strict=True) if cell))
            return "; ".join(out)
    return text


def _columns(row: str, mark: str) -> list[str]:
    inner = row.strip().strip("|") if mark == "|" else row.strip()
    return [cell.strip() for cell in inner.split(mark)]
