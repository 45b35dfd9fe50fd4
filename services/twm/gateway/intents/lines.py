"""Lists and short lines: each item of a list is a piece of its own, however it is marked. Linear in the length of the text."""

from __future__ import annotations

import re

ITEM = "•"
"""Stands before each item of a list; no such mark is left where nothing was listed."""
SHORT_LINE = 50
"""A line up to here was ended on purpose; a longer one may have been wrapped by a mail program."""
_BULLET = re.compile(r"\s*(?:[-*•·–—▪◦‣>]|\(?\d{1,2}[.)]|\(?[a-h]\)|\(?(?:i{1,3}|iv|v)\))[ \t]+(?=\S)")
_NUMBERED = re.compile(r"(?<![^\s,;:.])\(?([1-9]|[a-h]|i{1,3}|iv|v)\)[ \t]+(?=\S)")
_POINTED = re.compile(r"(?<!\S)([1-9])\.[ \t]+(?=[A-Za-z])")
_COUNTED = (tuple("123456789"), tuple("abcdefgh"), ("i", "ii", "iii", "iv", "v"))
"""How items are counted."""
_OPEN_ENDS = (",", ":", ";", ".", "!", "?", "(", "-", "–", "—", "/", "&")
_OPEN = """
and or the a an of in on at to for with by than over under below above from until per is are be not
"""
_OPEN_WORDS = frozenset(_OPEN.split())


def lined(text: str) -> str:
    """The text on one line, with ";" and ITEM before each item of a list and ";" where a short line ends. Never longer."""
    lines = [line.strip() for line in text.splitlines()]
    if len(lines) < 2:
        return _numbered(_BULLET.sub("", text, count=1) if _BULLET.match(text) and not text.lstrip()[0].isdigit() else text)
    out = ""
    before = ""
    for line in lines:
        found = _BULLET.match(line)
        rest = line[found.end() :] if found else line
        if not line:
            out += "." if before and not before.endswith(_OPEN_ENDS) else ""
        elif found:
            headed = bool(before) and not _BULLET.match(before) and not before.endswith(_OPEN_ENDS)
            out += (":" if headed else "") + (f";{ITEM}{rest}" if before else rest)
        elif before:
            out += (";" if _ended(before) and not out.endswith(".") else " ") + rest
        else:
            out += rest
        before = line or before
    return out if len(out) <= len(text) else " ".join(lines)


def _ended(line: str) -> bool:
    words = line.split()
    return len(line) <= SHORT_LINE and not line.endswith(_OPEN_ENDS) and words[-1].casefold() not in _OPEN_WORDS


def _numbered(text: str) -> str:
    """ "1) ... 2) ...", "(a) ... (b) ..." within a line: items too, where they are counted from the first."""
    found = list(_NUMBERED.finditer(text)) or list(_POINTED.finditer(text))
    if found and found[0].re is _POINTED and text[: found[0].start()].strip()[-1:] not in ("", ":", ";", ",", ".", "!"):
        return text
    counted = tuple(m[1] for m in found)
    if len(found) < 2 or not any(counted == row[: len(counted)] for row in _COUNTED):
        return text
    out, at = "", 0
    for i, match in enumerate(found):
        out += text[at : match.start()] + (f";{ITEM}" if i or text[: match.start()].strip() else "")
        at = match.end()
    return out + text[at:]
