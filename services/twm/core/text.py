"""Text that came from outside (names, alarms, intents, reasons): made safe to log, show and hand to a language model.

`clean` keeps what a reader would have seen and takes out what works behind the reader's back: bidirectional overrides (Trojan
Source), zero-width and tag characters, control characters, terminal escapes, piles of combining marks. What was found is named,
so that a caller may refuse instead. Letters of another script that look Latin are kept, and named: replacing them would change
what was said; `skeleton` is for comparing names. Pure, linear in min(len, bound).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

ANSI = "ansi"
"""A terminal escape sequence, taken out whole."""
BIDI = "bidi"
"""A character that reorders or isolates text on the screen."""
COMBINING = "combining"
"""More combining marks on one letter than any language writes."""
CONTROL = "control"
"""A control character (C0, C1) that is no white space."""
HOMOGLYPH = "homoglyph"
"""A whole word of another script whose letters all look Latin, in Latin text."""
LINE_BREAK = "line_break"
"""A line or paragraph break; became a space."""
MIXED_SCRIPT = "mixed_script"
"""A word of Latin letters together with Greek, Cyrillic or others that look like them."""
TAG = "tag"
"""Invisible tag characters (U+E0000..): they can spell a hidden sentence."""
TRUNCATED = "truncated"
"""Longer than the limit; the rest was cut off."""
UNASSIGNED = "unassigned"
"""A character without a meaning (unassigned, private use, lone surrogate); became U+FFFD."""
ZERO_WIDTH = "zero_width"
"""An invisible character."""

FINDINGS = (ANSI, BIDI, COMBINING, CONTROL, HOMOGLYPH, LINE_BREAK, MIXED_SCRIPT, TAG, TRUNCATED, UNASSIGNED, ZERO_WIDTH)
SUSPICIOUS = frozenset(FINDINGS) - {LINE_BREAK, TRUNCATED}
"""Findings that honest text from the network hardly ever has."""
MAX_MARKS = 4
_RAW_FACTOR, _RAW_EXTRA = 8, 256

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
# ECMA-48: CSI (also as the one character U+009B), OSC/DCS/SOS/PM/APC strings up to their terminator, and two-character escapes.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]{0,16}[0-~]"
)
_PLAIN = re.compile(r"[ -~]*")
_WORD = re.compile(r"[^\W\d_]+")
_UNIT_LETTERS = frozenset("μΩΔ")
_LOOKALIKE_SCRIPTS = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "DESERET"})
# Letters that pass for Latin ones in common fonts (from the confusables of UTS 39, single letters only).
_LOOKALIKES = {
    **dict(zip("АВЕЅЗІЈКМНОРСТУХҮԌԚԜ", "ABES3IJKMHOPCTYXYGQW", strict=True)),
    **dict(zip("авеѕзіјкморстухԁһԛԝүѵӏпгьъ", "abes3ijkmopctyxdhqwyvlnrbb", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict(zip("αγικνορτυχωϲϳ", "ayikvoptuxwcj", strict=True)),
    **dict(zip("օսհոցզԼՏՍ", "ouhngqLSU", strict=True)),
    **dict(zip("ᎪᎬᎳᎷᎻᏀᏃᏂᏔᏚᏟᏞᏢᏦ", "AEWMHGZHWSCLPK", strict=True)),
}
_SKELETON = str.maketrans({**_LOOKALIKES, "ı": "i", "ɑ": "a", "ɡ": "g", "ӏ": "l"})


@dataclass(frozen=True)
class Cleaned:
    """Text fit to show, and what had to be done to it."""

    text: str
    """NFKC, one line, at most the limit, single spaces, no space at either end."""
    findings: tuple[str, ...] = ()
    """Of FINDINGS, sorted, each once."""

    @property
    def suspicious(self) -> tuple[str, ...]:
        """The findings that honest text hardly ever has."""
        return tuple(name for name in self.findings if name in SUSPICIOUS)


def clean(text: str, limit: int) -> Cleaned:
    """`text` on one line of at most `limit` characters, and what was found. Never raises; cleaning again changes nothing."""
    found: set[str] = set()
    if len(text) <= limit and _PLAIN.fullmatch(text):
        return Cleaned(" ".join(text.split()))
    bound = _RAW_FACTOR * limit + _RAW_EXTRA
    if len(text) > bound:
        text = text[:bound]
        found.add(TRUNCATED)
    text = unicodedata.normalize("NFKC", text)[: 4 * bound]
    text = _without_invisible(text, found)
    text, escapes = _ESCAPE.subn("", text)
    if escapes:
        found.add(ANSI)
    text = unicodedata.normalize("NFKC", _without_controls(text, found))
    text = " ".join(_without_piles(text, found).split())
    if len(text) > limit:
        text = text[:limit].rstrip()
        found.add(TRUNCATED)
    found |= _scripts(text)
    return Cleaned(text, tuple(sorted(found)))


def shown(text: str, limit: int = 80) -> str:
    """`text` cleaned and in quotes, ASCII only: for messages that state a value from outside."""
    return ascii(clean(text, limit).text)


def skeleton(text: str) -> str:
    """Lower-case text with lookalike letters as Latin ones: two names that a reader takes for one have the same skeleton."""
    return text.translate(_SKELETON).casefold().translate(_SKELETON)


def _without_invisible(text: str, found: set[str]) -> str:
    kept: list[str] = []
    for character in text:
        code = ord(character)
        if code < 0xAD:
            kept.append(character)
        elif character in _BIDI:
            found.add(BIDI)
        elif 0xE0000 <= code <= 0xE007F:
            found.add(TAG)
        elif 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
            # One selector after a symbol says "as an emoji"; elsewhere, and in runs, they carry hidden bytes.
            if code < 0xFE0E or code > 0xFE0F or not kept or unicodedata.category(kept[-1]) not in ("So", "Sk", "Po", "Sm"):
                found.add(ZERO_WIDTH)
        elif character in _INVISIBLE or unicodedata.category(character) == "Cf":
            found.add(ZERO_WIDTH)
        else:
            kept.append(character)
    return "".join(kept)


def _without_controls(text: str, found: set[str]) -> str:
    kept: list[str] = []
    for character in text:
        if " " <= character <= "~":
            kept.append(character)
        elif character in _BREAKS:
            found.add(LINE_BREAK)
            kept.append(" ")
        elif character == "\t":
            kept.append(" ")
        else:
            category = unicodedata.category(character)
            if category == "Cc":
                found.add(CONTROL)
            elif category in ("Cn", "Co", "Cs"):
                found.add(UNASSIGNED)
                kept.append("\ufffd")
            else:
                kept.append(character)
    return "".join(kept)


def _without_piles(text: str, found: set[str]) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            found.add(COMBINING)
        else:
            kept.append(character)
    return "".join(kept)


def _scripts(text: str) -> set[str]:
    if text.isascii():
        return set()
    found: set[str] = set()
    latin_text = False
    suspects = False
    for word in _WORD.findall(text):
        scripts = {_script(character) for character in word}
        others = scripts & _LOOKALIKE_SCRIPTS
        if "LATIN" in scripts and others:
            found.add(MIXED_SCRIPT)
        latin_text |= "LATIN" in scripts and len(word) > 2
        suspects |= bool(others) and "LATIN" not in scripts and len(word) > 1 and all(c in _LOOKALIKES for c in word)
    if latin_text and suspects:
        found.add(HOMOGLYPH)
    return found


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """First word of the character's name: near enough to its script property, which the standard library does not have."""
    if character in _UNIT_LETTERS:
        return "COMMON"
    if character.isascii():
        return "LATIN"
    return unicodedata.name(character, "").partition(" ")[0]
