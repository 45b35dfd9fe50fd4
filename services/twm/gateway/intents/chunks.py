"""Tokens to chunks: names, quantities, clock times, dates, phrases and tagged words, left to right, longest first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from twm.gateway.intents import lexicon
from twm.gateway.intents.clocks import read_clock
from twm.gateway.intents.dates import read_date, read_days, starts_date
from twm.gateway.intents.names import CELL, LINK, NODE, SLICE, ZONE, Name, NameIndex
from twm.gateway.intents.numbers import NUMBER_WORDS
from twm.gateway.intents.quantities import read_quantity
from twm.gateway.intents.spelling import Speller
from twm.gateway.intents.tokens import Token
from twm.gateway.intents.units import UNIT_WORDS

NAME, FUZZY, UNKNOWN_NAME, QUANTITY, CLOCK, DATE, DATES, PUNCT, UNKNOWN, FILLER = (
    "name",
    "fuzzy",
    "unknown_name",
    "quantity",
    "clock",
    "date",
    "dates",
    "punct",
    "unknown",
    "filler",
)
_LINK_TALK = frozenset({"maint", "down", "fail", "capacity", "linknoun"})
_ORDERING = frozenset({"over", "before", "win", "above", "moreimportant"})
EITHER = "either"
"""Word of a list of names that are joined by "or"."""
MISSPELT = "misspelt"
"""Value of a chunk whose word was put right."""
_TICKET_WORDS = "cr inc chg req tkt ticket case wo rfc sr jira ref reference request change incident order task id po"
_TICKETS = frozenset(_TICKET_WORDS.split())
_RANGE_WORDS = ("-", "–", "—", "to", "through", "thru", "until", "till")
_LIST_WORDS = (",", "and", "&", "+", "or", "/", "nor")
_NODE_JOINTS = ("-", "–", "<->", "↔", "to", "->", "→", "and", "/")
_COMPARED_WORDS = "less more lower higher greater smaller bigger larger longer shorter faster slower fewer"
_COMPARED = frozenset(_COMPARED_WORDS.split())
"""Before these "then" is a slip for "than"."""
_NODE_DIRECTED = ("to", "->", "→")


@dataclass(slots=True)
class Chunk:
    """One piece of the text."""

    tag: str
    start: int
    """First token."""
    end: int
    """Token after the last."""
    value: Any = None
    """Names: tuple of Name; quantities: Quantity; ..."""
    word: str = ""
    """The word as corrected."""


@lru_cache(maxsize=1)
def _units() -> Speller:
    return Speller(UNIT_WORDS)


def correct(tokens: Sequence[Token]) -> list[str]:
    """The tokens' words with misspelt ones put right; names are not touched where they are matched, which uses the tokens."""
    known, ordinary, speller, units = lexicon.words(), lexicon.fixed(), lexicon.speller(), _units()
    out: list[str] = []
    for i, token in enumerate(tokens):
        word = token.text
        if word == "then" and out and out[-1] in _COMPARED:
            word = "than"
        if token.kind == "word" and not (word in known or word in ordinary or word in NUMBER_WORDS):
            after_number = i > 0 and (tokens[i - 1].kind == "number" or out[i - 1] in NUMBER_WORDS)
            found, _ = units.nearest(word) if after_number else ([], 0)
            if not found and len(word) > 2:
                found, _ = speller.nearest(word)
            if found:
                word = _likeliest(word, found)
            elif word.endswith("'s") and word[:-2] in known:
                word = word[:-2]
        out.append(word)
    return out


def _likeliest(word: str, found: list[str]) -> str:
    """Of equally near words: one with the same letters first, then one that means something, then the alphabet."""
    known = lexicon.words()
    return min(found, key=lambda f: (sorted(f) != sorted(word), f[0] != word[0], known.get(f) == "filler", f))


class Chunker:
    """Makes chunks with the names of one spec."""

    def __init__(self, names: NameIndex) -> None:
        self._names = names

    def chunks(self, tokens: Sequence[Token], today: dt.date) -> list[Chunk]:
        """Chunks of a text."""
        words = correct(tokens)
        out: list[Chunk] = []
        i = 0
        while i < len(tokens):
            chunk = self._at(tokens, words, i, today, out)
            out.append(chunk)
            i = chunk.end
        return _merge_lists(span_cells(self._join_nodes(out, words, tokens), self._names))

    def _at(self, tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date, out: list[Chunk]) -> Chunk:
        token, names = tokens[i], self._names
        if token.kind != "symbol":
            listed = self._numbered(tokens, words, i)
            if listed is not None:
                return listed
            found = names.match(tokens, words, i)
            if found is not None:
                return Chunk(NAME, i, found[1], self._chosen(found[0], words, i, found[1]), token.text)
            stray = self._stray(tokens, i)
            if stray is not None:
                return stray
            near = self._fuzzy(tokens, words, i) or self._strange_compound(tokens, i)
            if near is not None:
                return near
        if (
            token.kind == "number"
            or words[i] in NUMBER_WORDS
            or token.text in "+-−–xX×"
            or words[i] in ("noon", "midday", "midnight")
        ):
            special = self._percentile(tokens, words, i) or _number_chunk(tokens, words, i, today)
            if special is not None:
                return special
        dated = _dates(tokens, words, i, today) if starts_date(words[i]) else None
        if dated is not None:
            return dated
        ranked = _ranked(tokens, words, i)
        if ranked is not None:
            return ranked
        if words[i] == "p" and i + 1 < len(tokens) and tokens[i + 1].glued and tokens[i + 1].kind == "number":
            return Chunk("percentile", i, i + 2, tokens[i + 1].text, "p" + tokens[i + 1].text)
        phrase = _phrase(words, i)
        if phrase is not None and not (words[i] in ("and", "or") and self._names.match(tokens, words, i + 1)):
            return Chunk(phrase[0], i, phrase[1], None, " ".join(words[i : phrase[1]]))
        if token.kind == "symbol":
            tag = lexicon.words().get(token.text, PUNCT)
            if token.text == "+" and i + 1 < len(tokens) and tokens[i + 1].kind == "number":
                tag = FILLER
            return Chunk(tag, i, i + 1, None, token.text)
        tag = lexicon.words().get(words[i], UNKNOWN)
        if tag == "min":
            tag = "atleast"
        elif tag == "monthname" and (len(token.text) < 4 or not token.raw[:1].isupper()):
            tag = FILLER
        return Chunk(tag, i, i + 1, None if words[i] == token.text else MISSPELT, words[i])

    def _percentile(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
        if words[i : i + 1] == ["ninety"] and words[i + 1 : i + 3] in (["-", "ninth"], ["ninth", "percentile"]):
            return Chunk("percentile", i, i + 4 if words[i + 1] == "-" else i + 3, "99")
        return None

    def _numbered(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
        """ "cells 12-18", "cell 7", "link 3", "cells cell-2 and 4": numbers after a class noun."""
        tag = lexicon.words().get(words[i])
        kind = {"cellnoun": CELL, "linknoun": LINK, "zonenoun": ZONE}.get(tag or "")
        j = i + 1
        if kind is None or tag is None:
            return None
        while j < len(tokens) and words[j] in ("#", "no", "number", "numbers", "nos", "nr", "-", "_") and j < i + 3:
            if words[j] in ("-", "_") and not tokens[j].glued:
                return None
            j += 1
        numbers: list[tuple[int, int]] = []
        while True:
            several = tokens[j].text.split(",") if j < len(tokens) and tokens[j].kind == "number" else []
            if len(several) > 1 and all(part.isdigit() for part in several):
                numbers += [(int(part), int(part)) for part in several]
                j += 1
                break
            first = self._small(tokens, words, j)
            if first is None:
                break
            number, after = first
            pair = (number, number)
            if after < len(tokens) and words[after] in _RANGE_WORDS:
                skip = after + 1
                if skip < len(tokens) and words[skip] in ("cell", "site", "sector") and skip + 1 < len(tokens):
                    skip += 2 if words[skip + 1] in ("-", "_") else 1
                second = self._small(tokens, words, skip)
                if second is not None:
                    pair, after = (number, second[0]), second[1]
            numbers.append(pair)
            j = after
            k = j
            while k < len(tokens) and words[k] in _LIST_WORDS:
                k += 1
            if k < len(tokens) and words[k] in ("cell", "site", "sector") and k + 1 < len(tokens):
                k += 2 if words[k + 1] in ("-", "_") else 1
            elif k == j:
                break
            if self._small(tokens, words, k) is None:
                break
            j = k
        if not numbers:
            return None
        return self._resolved(kind, numbers, i, j, words)

    def _small(self, tokens: Sequence[Token], words: Sequence[str], j: int) -> tuple[int, int] | None:
        """A whole number without a unit at `j`."""
        if j >= len(tokens) or not (tokens[j].kind == "number" or words[j] in NUMBER_WORDS) or words[j] in ("a", "an"):
            return None
        if read_clock(tokens, words, j) is not None:
            return None
        found = read_quantity(tokens, words, j)
        if found is None or found[0].dim != "count" or found[0].value != int(found[0].value) or found[0].value > 10**9:
            return None
        return int(found[0].value), found[1]

    def _resolved(self, kind: str, numbers: list[tuple[int, int]], i: int, j: int, words: Sequence[str]) -> Chunk:
        names: list[Name] = []
        for low, high in numbers:
            if high < low or high - low > 4096:
                return Chunk(UNKNOWN_NAME, i, j, (kind, f"{low}-{high}", []), " ".join(words[i:j]))
            for number in range(low, high + 1):
                ids = self._names.numbered(kind, number)
                own = [x for x in ids if x.casefold().startswith(words[i].rstrip("s"))]
                ids = own if len(own) == 1 else ids
                if len(ids) != 1:
                    return Chunk(UNKNOWN_NAME, i, j, (kind, str(number), ids[:8]), " ".join(words[i:j]))
                names.append(Name(kind, ids[0]))
        return Chunk(NAME, i, j, tuple(dict.fromkeys(names)), words[i])

    def _stray(self, tokens: Sequence[Token], i: int) -> Chunk | None:
        """ "up-9", "N7", "A4-hub": written like the names of the network, but none of them."""
        if tokens[i].kind != "word" or i + 1 >= len(tokens) or not tokens[i + 1].glued:
            return None
        j = i + 2 if tokens[i + 1].text in "-_." and i + 2 < len(tokens) and tokens[i + 2].glued else i + 1
        if tokens[j].kind != "number" or not tokens[j].text.isdigit():
            return None
        if tokens[i].text == "p" and j == i + 1:  # a percentile, whatever a cell is called
            return None
        kind = self._names.family(tokens[i].text)
        if kind is None and tokens[i + 1].text in "-_" and _like_an_id(tokens, i):
            kind = LINK if {lexicon.words().get(t.text) for t in tokens} & _LINK_TALK else CELL
        if kind is None:
            return None
        clock = tokens[j + 1 : j + 3] and tokens[j + 1].text == ":" and j + 2 < len(tokens) and tokens[j + 2].kind == "number"
        if j + 1 < len(tokens) and tokens[j + 1].glued and (clock or tokens[j + 1].text == "%" or tokens[j + 1].kind == "word"):
            return None
        if kind == NODE:
            kind = LINK
            while j + 2 < len(tokens) and tokens[j + 1].text == "-" and tokens[j + 1].glued and tokens[j + 2].glued:
                j += 2
                while j + 1 < len(tokens) and tokens[j + 1].glued and tokens[j + 1].kind != "symbol":
                    j += 1
        text = "".join(t.raw for t in tokens[i : j + 1])
        return Chunk(UNKNOWN_NAME, i, j + 1, (kind, text, []), text)

    def _strange_compound(self, tokens: Sequence[Token], i: int) -> Chunk | None:
        """ "fib-pit-up" where there is a fib-yard-up: a link that is none, and no zone called pit in the middle of it."""
        kind = self._names.compound(tokens[i].text)
        j = i + 1
        while j + 1 < len(tokens) and tokens[j].text in "-_" and tokens[j].glued and tokens[j + 1].glued:
            j += 2
        if kind is None or j == i + 1:
            return None
        text = "".join(t.raw for t in tokens[i:j])
        return Chunk(UNKNOWN_NAME, i, j, (kind, text, []), text)

    def _chosen(self, names: list[Name], words: Sequence[str], i: int, j: int) -> tuple[Name, ...]:
        if len(names) == 1:
            return (names[0],)
        nouns = {"slicenoun": SLICE, "zonenoun": ZONE, "cellnoun": CELL, "linknoun": LINK, "nodenoun": NODE}
        for k in (i - 1, j):
            kind = nouns.get(lexicon.words().get(words[k], "") if 0 <= k < len(words) else "")
            fitting = [n for n in names if n.kind == kind]
            if len(fitting) == 1:
                return (fitting[0],)
        return tuple(names)

    def _fuzzy(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
        """A misspelt name: one that differs little, with a word in it that nobody knows, or written with a hyphen."""
        known = lexicon.words()
        for count in (3, 2, 1):
            j, text, odd = i, "", False
            taken = 0
            while j < len(tokens) and taken < count:
                if tokens[j].kind == "symbol":
                    if tokens[j].text in "-_" and taken and tokens[j].glued:
                        odd = True
                        j += 1
                        continue
                    break
                text += tokens[j].text
                odd = odd or (tokens[j].kind == "word" and tokens[j].text not in known and len(tokens[j].text) > 2)
                taken += 1
                j += 1
            if taken < count or not odd or len(text) < 4:
                continue
            if count == 1 and known.get(words[i]) not in (None, "place", "slicetype", FILLER) and words[i] != tokens[i].text:
                continue
            near = self._names.near(text)
            if near:
                return Chunk(FUZZY, i, j, (text, tuple(near)), text)
        return None

    def _join_nodes(self, chunks: list[Chunk], words: Sequence[str], tokens: Sequence[Token]) -> list[Chunk]:
        """ "N2-N0", "from N0 to N2", "between N4 and N0": two nodes make links."""
        out: list[Chunk] = []
        i = 0
        while i < len(chunks):
            a = chunks[i]
            joint = chunks[i + 1] if i + 1 < len(chunks) else None
            b = chunks[i + 2] if i + 2 < len(chunks) else None
            if _is_node(a) and joint is not None and b is not None and joint.word in _NODE_JOINTS and _is_node(b):
                x, y = a.value[0].id, b.value[0].id
                ids = list(self._names.links_between.get((x, y), []))
                if joint.word not in _NODE_DIRECTED:
                    ids += self._names.links_between.get((y, x), [])
                value: Any = tuple(Name(LINK, n) for n in sorted(ids, key=lambda n: self._names.rank[LINK, n]))
                tag = NAME
                if not ids:
                    tag, value = UNKNOWN_NAME, (LINK, f"{x}-{y}", [])
                if out and out[-1].tag in ("between", "from"):
                    out.pop()
                out.append(Chunk(tag, a.start, b.end, value, "link"))
                i += 3
                continue
            out.append(a)
            i += 1
        return out


def _like_an_id(tokens: Sequence[Token], i: int) -> bool:
    """ "CEN-01", "TN-3" in a network without such names; not "CR-20931", "Nov-27" or "covid-19"."""
    word, before = tokens[i], tokens[i - 1].text if i else ""
    known = lexicon.words().get(word.text)
    ticket = word.text in _TICKETS or before in _TICKETS
    return word.raw.isupper() and len(word.raw) <= 6 and not ticket and known in (None, "filler", "linknoun", "nodenoun")


def _ranked(tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
    """ "P1: ..." at the head of a sentence, "prio 4", "priority: 2": a priority, and no percentile."""
    short = words[i] == "p" and (i == 0 or words[i - 1] in (".", ";", "!"))
    if not short and words[i] not in ("priority", "prio"):
        return None
    j = i + 1
    while not short and j < len(tokens) and words[j] in (":", "=", "is", "level", "class", "no", "#"):
        j += 1
    if j >= len(tokens) or tokens[j].text not in ("1", "2", "3", "4", "5") or (short and not tokens[j].glued):
        return None
    after = words[j + 1] if j + 1 < len(words) else ""
    if (short and after not in (":", "-", "–", ",", "!", "")) or after == "%":
        return None
    end = j + 2 if short and after in ("-", "–", ":", ",") else j + 1
    return Chunk("priority", i, end, int(tokens[j].text), words[i])


def _is_node(chunk: Chunk) -> bool:
    return chunk.tag == NAME and len(chunk.value) == 1 and chunk.value[0].kind == NODE


def _dates(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> Chunk | None:
    """A date, or several in a row."""
    days = read_days(tokens, words, i, today)
    if days is not None:
        return Chunk(DATES, i, days[2], (days[0], days[1]))
    dated = read_date(tokens, words, i, today)
    return None if dated is None else Chunk(DATE, i, dated[1], dated[0])


def _number_chunk(tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date) -> Chunk | None:
    dated = _dates(tokens, words, i, today)
    if dated is not None:
        return dated
    clock = read_clock(tokens, words, i)
    if clock is not None:
        return Chunk(CLOCK, i, clock[1], clock[0])
    found = read_quantity(tokens, words, i)
    if found is None:
        return None
    quantity, j = found
    if quantity.dim == "percentile":
        return Chunk("percentile", i, j, f"{quantity.value:g}")
    if words[i] == "one" and quantity.dim == "count" and j == i + 1:
        return Chunk(QUANTITY, i, j, quantity, "one")
    return Chunk(QUANTITY, i, j, quantity)


def _phrase(words: Sequence[str], i: int) -> tuple[str, int] | None:
    if words[i] not in lexicon.phrase_starts():
        return None
    table = lexicon.phrases()
    for count in range(min(lexicon.MAX_PHRASE + 2, len(words) - i), 1, -1):
        tag = table.get(tuple(words[i : i + count]))
        after = words[i + count] if i + count < len(words) else ""
        if tag is not None and not (
            words[i] in ("and", "or") and (after[:1].isdigit() or after in NUMBER_WORDS or after == "than")
        ):
            return tag, i + count
    return None


def _merge_lists(chunks: list[Chunk]) -> list[Chunk]:
    """Names of one kind in a list become one chunk: "cell-2 and cell-3", "URLLC, eMBB"; ranges of numbered names too.

    Two names alone are not listed with a comma before "and": there something new begins, "freeze FWA, and URLLC below 9 ms".
    """
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        chunk = chunks[i]
        i += 1
        listed = False
        if chunk.tag == NAME and _one_kind(chunk):
            while i < len(chunks):
                j = i
                while (
                    j < len(chunks)
                    and (chunks[j].tag in ("and", "or") or chunks[j].word in (",", "/", "the", "nor", "as well as"))
                    and j < i + 3
                ):
                    j += 1
                between = chunks[i:j]
                anew = not listed and any(c.word == "," for c in between) and any(c.tag in ("and", "or") for c in between)
                both = j < len(chunks) and chunks[j].tag in ("cellnoun", "linknoun", "slicenoun", "zonenoun")
                k = j + 1 if both else j
                paired = listed and bool(out) and out[-1].tag == "between"
                if (
                    j > i
                    and not anew
                    and not paired
                    and not _next_pair(chunks, chunk, i, k)
                    and k < len(chunks)
                    and chunks[k].tag == NAME
                    and _one_kind(chunks[k])
                    and chunks[k].value[0].kind == chunk.value[0].kind
                ):
                    word = EITHER if any(c.tag == "or" for c in between) or chunk.word == EITHER else chunk.word
                    chunk = Chunk(NAME, chunk.start, chunks[k].end, tuple(dict.fromkeys(chunk.value + chunks[k].value)), word)
                    i, listed = k + 1, True
                elif (
                    j == i
                    and chunks[i].tag == NAME
                    and _one_kind(chunks[i])
                    and chunks[i].value[0].kind == chunk.value[0].kind in (CELL, LINK)
                ):
                    chunk = Chunk(
                        NAME, chunk.start, chunks[i].end, tuple(dict.fromkeys(chunk.value + chunks[i].value)), chunk.word
                    )
                    i += 1
                else:
                    break
        out.append(chunk)
    return out


def span_cells(chunks: Sequence[Chunk], names: NameIndex) -> list[Chunk]:
    """ "EXP-01 to EXP-03", "pit-a through pit-c": two cells of one family stand for those between them in the network spec."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        ends = [chunks[k] for k in (i, i + 2) if k < len(chunks)]
        if (
            len(ends) == 2
            and chunks[i + 1].word in ("to", "through", "thru", "till", "until", "-", "–", "..", "…")
            and all(c.tag == NAME and len(c.value) == 1 and c.value[0].kind == CELL for c in ends)
        ):
            first, last = (names.rank[CELL, c.value[0].id] for c in ends)
            between = tuple(Name(CELL, x) for x in names.ids[CELL][first : last + 1])
            family = _family(ends[0].value[0].id)
            if between and all(_family(n.id) == family for n in (*between, ends[1].value[0])):
                out.append(Chunk(NAME, chunks[i].start, ends[1].end, between, chunks[i].word))
            else:
                text = f"{ends[0].value[0].id} to {ends[1].value[0].id}"
                out.append(Chunk(UNKNOWN_NAME, chunks[i].start, ends[1].end, (CELL, text, []), text))
            i += 3
            continue
        out.append(chunks[i])
        i += 1
    return out


def _family(name_id: str) -> str:
    """What cells of one row share: "EXP-" of "EXP-02", "pit-" of "pit-b"."""
    cut = max(name_id.rfind(sign) for sign in "-_./")
    return name_id[: cut + 1] if cut >= 0 else name_id.rstrip("0123456789")


def _next_pair(chunks: Sequence[Chunk], chunk: Chunk, i: int, k: int) -> bool:
    """ "A over B, C over A": the comma parts two orders, and joins no list."""
    ahead = chunks[k + 1].tag if k + 1 < len(chunks) else ""
    at = next((n for n in range(i - 1, -1, -1) if chunks[n].start == chunk.start), 0)
    behind = chunks[at - 1].tag if at else ""
    return chunks[i].word == "," and ahead in _ORDERING and behind in _ORDERING


def _one_kind(chunk: Chunk) -> bool:
    return len({n.kind for n in chunk.value}) == 1
