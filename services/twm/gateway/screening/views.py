"""The readings of a text that a reader, or a language model, could take from it: as it stands, mended, joined, decoded.

An instruction hidden by spelling (letters spaced out, digits for letters, marks between them, lookalikes of another
alphabet) or by an encoding (base64, hex, URL, rot13, backwards, invisible tag characters) stands openly in one of them. Pure;
linear in the length.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import urllib.parse
from collections.abc import Iterator
from functools import lru_cache

from twm.core.text import clean, skeleton
from twm.gateway.screening.words import COMMON, FUZZY

MAX_CHARACTERS = 4000
MAX_DECODED = 16
MIN_ESCAPES = 3
_CLAUSE = re.compile(r"[^.;:|\n]{12,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?:0x)?(?:[0-9A-Fa-f]{2}[ :,]?){10,}")
_ESCAPES = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|&#x?[0-9a-fA-F]{2,6};|%[0-9a-fA-F]{2}")
_SPACED = re.compile(r"(?<!\w)(?:[^\W\d_][\s.\-_*|/,·]{1,3}){7,}[^\W\d_](?!\w)")
_MARKS = re.compile(r"(?<=[^\W\d_])[*_.\-·|/\\'\"`~^+](?=[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+")
_LEET_WORD = re.compile(r"(?<![\w.])(?=\w*[^\W\d_])[\w@$!|]{2,}(?![\w.])")
_LEET = str.maketrans("013457@$!|", "oieastasil")


def readings(text: str) -> Iterator[tuple[str, str]]:
    """(name, lower-case reading), "plain" first, each different from those before.

    Names: plain, mended, joined (letters that stood apart), decoded (where it reads as text).
    """
    raw = text[:MAX_CHARACTERS]
    seen: set[str] = set()
    plain = _fold(raw)
    for name, reading in _all(raw, plain):
        if reading and reading not in seen:
            seen.add(reading)
            yield name, reading


def _all(raw: str, plain: str) -> Iterator[tuple[str, str]]:
    yield "plain", plain
    yield "plain", clean(raw, MAX_CHARACTERS).text.casefold()  # other alphabets as they are, beside Latin
    unmarked = _MARKS.sub("", plain)
    yield "mended", mend(unmarked)
    leet = _LEET_WORD.sub(lambda m: m.group().translate(_LEET), plain).replace(" 70 ", " to ")
    yield "mended", mend(_MARKS.sub("", leet))
    if _SPACED.search(plain):
        yield "joined", _join(plain)
        yield "joined", _join(leet)
    for decoded in _decoded(raw):
        folded = _fold(decoded)
        yield "decoded", folded
        yield "decoded", mend(_MARKS.sub("", folded))


def _fold(text: str) -> str:
    # Lookalike letters become Latin only where Latin is written too, so that honest Cyrillic or Greek stays readable.
    shown = clean(text, MAX_CHARACTERS).text
    latin = sum(c.isascii() and c.isalpha() for c in shown)
    letters = sum(c.isalpha() for c in shown)
    return skeleton(shown) if latin >= 0.3 * max(letters, 1) else shown.casefold()


def _join(text: str) -> str:
    return mend(_SPACED.sub(lambda m: re.sub(r"[\W_]+", "", m.group()), text))


def _decoded(raw: str) -> Iterator[str]:
    hidden = "".join(chr(ord(c) - 0xE0000) for c in raw if 0xE0020 <= ord(c) <= 0xE007E)
    found = [hidden] if len(hidden) >= 4 else []
    found += [text for text in _binary(raw) if _reads_as_text(text)]
    if len(_ESCAPES.findall(raw)) >= MIN_ESCAPES:
        found.append(_unescaped(raw))
    for clause in _CLAUSE.findall(raw):
        found += [text for text in (codecs.decode(clause, "rot13"), clause[::-1]) if reads_as_language(text)]
    yield from found[:MAX_DECODED]


def _binary(raw: str) -> Iterator[str]:
    for block in _BASE64.findall(raw):
        body = block.translate(str.maketrans("-_", "+/")).rstrip("=")
        try:
            yield base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            continue
    for block in _HEX.findall(raw):
        digits = re.sub(r"[^0-9A-Fa-f]", "", block.removeprefix("0x"))
        try:
            yield bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8")
        except ValueError:
            continue


def _unescaped(raw: str) -> str:
    text = re.sub(r"&#x([0-9a-fA-F]{2,6});", lambda m: _character(int(m.group(1), 16)), raw)
    text = re.sub(r"&#(\d{2,6});", lambda m: _character(int(m.group(1))), text)
    text = re.sub(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})", lambda m: _character(int(m.group(1) or m.group(2), 16)), text)
    return urllib.parse.unquote(text)


def _character(code: int) -> str:
    return chr(code) if 0x20 <= code < 0xD800 else " "


def _reads_as_text(text: str) -> bool:
    """Whether bytes that were encoded are words: serial numbers and digests decode to noise."""
    letters = sum(c.isalpha() or c == " " for c in text)
    return letters >= 0.6 * max(len(text), 1) and len(_WORD.findall(text)) >= 2 and len(text) >= 10


def reads_as_language(text: str) -> bool:
    """Whether a text read in another way may be a sentence: printable, two or more of its words and a quarter of all common."""
    if not text or sum(c.isprintable() or c.isspace() for c in text) < 0.95 * len(text):
        return False
    words = _WORD.findall(text.casefold())
    known = sum(word in COMMON or word in FUZZY for word in words)
    return known >= 2 and known >= len(words) / 4


def mend(text: str) -> str:
    """Words a letter away from those that instructions are made of become them ("ignroe", "instrutions")."""
    return _WORD.sub(lambda m: _mended(m.group()), text)


@lru_cache(maxsize=8192)
def _mended(word: str) -> str:
    if len(word) < 5 or word in FUZZY or word in COMMON:
        return word
    return next((known for known in FUZZY if abs(len(known) - len(word)) <= 1 and _near(word, known)), word)


def _near(left: str, right: str) -> bool:
    """One letter changed, added, left out, or two neighbours swapped; the first letter and most of the word stay."""
    if left[0] != right[0]:
        return False
    if len(left) == len(right):
        differing = [i for i, (a, b) in enumerate(zip(left, right, strict=True)) if a != b]
        if len(differing) == 2 and differing[1] == differing[0] + 1:
            i, j = differing
            return left[i] == right[j] and left[j] == right[i]
        return len(differing) == 1
    short, long = sorted((left, right), key=len)
    i = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[i:] == long[i + 1 :]
