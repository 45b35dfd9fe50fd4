"""Tokens to chunks: names, quantities, clock times, dates, phrases and tagged words, left to right, longest first."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twm.gateway.intents import lexicon
from twm.gateway.intents.clocks import read_clock
from twm.gateway.intents.corrections import correct
from twm.gateway.intents.dates import read_date, read_days, starts_date
from twm.gateway.intents.names import CELL, LINK, NODE, SLICE, ZONE, Name, NameIndex
from twm.gateway.intents.numbers import NUMBER_WORDS
from twm.gateway.intents.quantities import read_quantity
from twm.gateway.intents.references import like_an_id, numbered_priority, ticket
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
NODE_JOINTS = ("-", "–", "<->", "↔", "to", "->", "→", "=>", "and", "/")
NODE_DIRECTED = ("to", "->", "→", "=>")
_ARROWS = ("->", "→", "=>", "<->", "↔")
_BOTH_WAYS = ("both directions", "both ways", "either direction", "each direction", "both direction", "each way")
_OF_CAPACITY = frozenset(
    {"left", "halved", "remaining", "remains", "available", "lost", "gone", "reduced", "down", "only", "loss"}
)
"""After "cap" where it is short for capacity."""
_LINK_TALK = frozenset({"maint", "down", "fail", "capacity", "linknoun"})
EITHER = "either"
"""Word of a list of names that are joined by "or"."""
MISSPELT = "misspelt"
"""Value of a chunk whose word was put right."""
_VERBS_UP = """
step steps scale warm clean shut start slow back follow set break count cool lock touch run build pile line close wind
ramp check catch pick push sign speed top wake mock mix mark make look heads knock melt meet let go going come ups
grown hands stand wrap tidy power ready left right thumbs hold flare keep link tear hang put take turn trickle bottom
live write call roll drill dig fill round hook press crack sit drop fall tie screw cover dress grow jump light pop
pull stop tune work cut draw low scaled settle spin split stocking straight sized made upside face
"""
_BEFORE_UP = frozenset(_VERBS_UP.split())
"""Before "-up" and "-down" these make ordinary words: "warm-up"."""
_BEHIND_TYPES = frozenset(
    {"slice", "slices", "traffic", "users", "user", "delay", "loss", "demand", "share", "customers", "only", "like"}
)
_SIDES_OF_LINKS = frozenset(
    {"north", "south", "east", "west", "left", "right", "main", "backup", "spare", "back", "side", "link"}
)
_RANGE_WORDS = ("-", "–", "—", "to", "through", "thru", "until", "till")
_LIST_WORDS = (",", "and", "&", "+", "or", "/", "nor")


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
        return out

    def _at(self, tokens: Sequence[Token], words: Sequence[str], i: int, today: dt.date, out: list[Chunk]) -> Chunk:
        token, names = tokens[i], self._names
        if token.kind != "symbol":
            listed = self._numbered(tokens, words, i)
            found = names.match(tokens, words, i)
            if listed is not None and listed.tag == UNKNOWN_NAME:
                found = found or names.match(tokens, words, i, kind=ZONE)  # a zone called "sector-7"
            if listed is not None and (found is None or found[1] < listed.end):
                return listed
            if found is None:
                rows = self._of_stem(tokens, words, i)
                if rows is not None:
                    return rows
            dictated = names.spoken.match(tokens, i) if token.kind == "word" else None
            if dictated is not None and (found is None or dictated[1] > found[1]):
                said = tuple(dict.fromkeys(Name(s.kind, s.id) for s in dictated[0]))
                return Chunk(NAME, i, dictated[1], said)
            between = self._between(tokens, words, i)
            if between is not None and (found is None or between.end > found[1]):
                return between
            if found is not None and _lettered(tokens, found[1]):
                text = "".join(t.raw for t in tokens[i : found[1] + 2])
                return Chunk(UNKNOWN_NAME, i, found[1] + 2, (CELL, text, []), text)
            if found is not None:
                chosen = self._chosen(found[0], words, i, found[1])
                return self._row(tokens, words, Chunk(NAME, i, found[1], chosen))
            if [t.text for t in tokens[i : i + 3]] == ["v", "2", "x"] and tokens[i + 1].glued and tokens[i + 2].glued:
                return Chunk("slicetype", i, i + 3, None, "v2x")
            stray = self._stray(tokens, i)
            if stray is not None:
                return stray
            near = (self._fuzzy(tokens, words, i) if words[i] != "and" else None) or self._strange_compound(tokens, i)
            near = near or self._strange_type(tokens, i)
            if near is not None:
                return near
        if (
            token.kind == "number"
            or words[i] in NUMBER_WORDS
            or token.text in ("+", "-", "−", "–", "x", "X", "×", "minus")
            or words[i] in ("noon", "midday", "midnight")
        ):
            special = self._percentile(tokens, words, i) or _number_chunk(tokens, words, i, today)
            if special is not None:
                return special
        dated = _dates(tokens, words, i, today) if starts_date(words[i]) else None
        if dated is not None:
            return dated
        referred = ticket(tokens, words, i)
        if referred:
            return Chunk(FILLER, i, referred, None, "ticket")
        ranked = numbered_priority(tokens, words, i)
        if ranked is not None:
            return Chunk("priority", i, ranked[1], ranked[0], words[i])
        if words[i] == "p" and i + 1 < len(tokens) and tokens[i + 1].glued and tokens[i + 1].kind == "number":
            return Chunk("percentile", i, i + 2, tokens[i + 1].text, "p" + tokens[i + 1].text)
        named = words[i] == "there" and bool(out) and out[-1].tag == NAME  # "eMBB there will be"
        phrase = None if named else _phrase(words, i)
        if phrase is not None and not (words[i] in ("and", "or") and self._names.match(tokens, words, i + 1)):
            return Chunk(phrase[0], i, phrase[1], None, " ".join(words[i : phrase[1]]))
        if token.kind == "symbol":
            tag = lexicon.words().get(token.text, PUNCT)
            if token.text == "+" and i + 1 < len(tokens) and tokens[i + 1].kind == "number":
                tag = FILLER
            return Chunk(tag, i, i + 1, None, token.text)
        tag = lexicon.words().get(words[i], UNKNOWN)
        short = words[i] == "cap" and i + 1 < len(words) and words[i + 1] in _OF_CAPACITY
        if short and self._names.match(tokens, words, i + 1) is None:
            tag = "capacity"
        if tag == "min":
            tag = "atleast"
        elif tag == "monthname" and (len(token.text) < 4 or not token.raw[:1].isupper()):
            tag = FILLER
        return Chunk(tag, i, i + 1, None if words[i] == token.text else MISSPELT, words[i])

    def _between(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
        """ "from A2 to the hub", "link mast → office": the links between two transport nodes."""
        first = self._names.node_at(tokens, words, i)
        if first is None or first[1] + 1 >= len(tokens) or words[first[1]] not in NODE_JOINTS:
            return None
        joint = words[first[1]]
        k = first[1] + 2 if words[first[1] + 1] == "the" else first[1] + 1
        second = self._names.node_at(tokens, words, k) if k < len(tokens) else None
        if second is None:
            return None
        before = {lexicon.words().get(word, word) for word in words[max(i - 3, 0) : i]}
        if not (before & {"linknoun", "from", "between", "maint"} or joint in _ARROWS or tokens[i].raw.isupper()):
            return None
        x, y = first[0], second[0]
        ids = list(self._names.links_between.get((x, y), []))
        following = " ".join(words[second[1] : second[1] + 6])
        if joint not in NODE_DIRECTED or any(said in following for said in _BOTH_WAYS):
            ids += self._names.links_between.get((y, x), [])
        names = [Name(LINK, n) for n in sorted(ids, key=lambda n: self._names.rank[LINK, n])]
        return Chunk(NAME, i, second[1], tuple(names), "link") if names else None

    def _percentile(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
        if words[i : i + 1] == ["ninety"] and words[i + 1 : i + 3] in (["-", "ninth"], ["ninth", "percentile"]):
            return Chunk("percentile", i, i + 4 if words[i + 1] == "-" else i + 3, "99")
        if tokens[i].text == "99" and [t.text for t in tokens[i + 1 : i + 4]] == ["th", "-", "percentile"]:
            return Chunk("percentile", i, i + 4, "99")
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
            elif k == j and not (j < len(tokens) and tokens[j].kind == tokens[j - 1].kind == "word"):
                break
            if self._small(tokens, words, k) is None:
                break
            j = k
        if not numbers:
            return None
        return self._resolved(kind, numbers, i, j, words)

    def _of_stem(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> Chunk | None:
        """ "The lift cells", "the ring links", "the ring is cut in both directions": all that are called so and a part more."""
        for count in (2, 1):
            hyphened = count == 2 and i + 2 < len(tokens) and tokens[i + 1].text in "-_" and tokens[i + 1].glued
            j = i + count + hyphened
            said = [t for t in tokens[i:j] if t.kind == "word"]
            if len(said) != count or j >= len(tokens):
                continue
            text = "-".join(t.text for t in said)
            kind = {"cellnoun": CELL, "linknoun": LINK}.get(lexicon.words().get(words[j], ""), "")
            ids = self._names.stem(kind, text) if kind and words[j].endswith("s") else []
            if ids:
                return Chunk(NAME, i, j + 1, tuple(Name(kind, x) for x in ids), text)
            ids = self._names.stem(LINK, text)
            if len(ids) == 2 and any(both in " ".join(words[j : j + 16]).split(" . ")[0] for both in _BOTH_WAYS):
                return Chunk(NAME, i, j, tuple(Name(LINK, x) for x in ids), text)
        return None

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

    def _row(self, tokens: Sequence[Token], words: Sequence[str], first: Chunk) -> Chunk:
        """ "EXP-01, -02 and -03", "up-1/2/3": names of one family, the later ones by their numbers alone."""
        names, j = list(first.value), first.end
        other = self._other_way(tokens, names, j)
        if other:
            return Chunk(NAME, first.start, j + 2, (*names, Name(LINK, other)), first.word)
        numbered = re.fullmatch(r"(.*[^0-9])(\d{1,4})", names[0].id) if len(names) == 1 else None
        known = {x.casefold(): x for x in self._names.ids[names[0].kind]} if numbered and names[0].kind in (CELL, LINK) else {}
        while numbered is not None and known:
            k = j
            while k < len(tokens) and k < j + 2 and tokens[k].text in (",", "/", "and", "&", "to", "or"):
                k += 1
            dashed = k > j and k + 1 < len(tokens) and tokens[k].text in ("-", "–") and tokens[k + 1].glued
            k += 1 if dashed else 0
            marked = dashed or (tokens[j : j + 1] and tokens[j].text == "/") or (numbered[2][0] == "0" and len(numbered[2]) > 1)
            if k == j or not marked or k >= len(tokens) or tokens[k].kind != "number":
                break
            after = words[k + 1] if k + 1 < len(tokens) else ""
            said = known.get(f"{numbered[1]}{tokens[k].text}".casefold())
            if said is None or len(tokens[k].text) != len(numbered[2]) or after in ("%", ":") or after in UNIT_WORDS:
                break
            kind = names[0].kind
            ends = [self._names.rank[kind, x] for x in (names[-1].id, said)]
            through = tokens[k - 1 - dashed].text == "to" and ends[0] < ends[1]
            names += [Name(kind, x) for x in (self._names.ids[kind][ends[0] + 1 : ends[1] + 1] if through else [said])]
            j = k + 1
        return Chunk(NAME, first.start, j, tuple(dict.fromkeys(names)), first.word)

    def _other_way(self, tokens: Sequence[Token], names: Sequence[Name], j: int) -> str:
        """ "crest-up and down", "crest-up/-down": the same link the other way."""
        if len(names) != 1 or names[0].kind != LINK or "-" not in names[0].id or j + 1 >= len(tokens):
            return ""
        stem, after = names[0].id.rpartition("-")[0], tokens[j + 2].text if j + 2 < len(tokens) else ""
        known = {x.casefold(): x for x in self._names.stem(LINK, stem.casefold())}
        joined = tokens[j].text in ("and", "/", "&", "+", "or") and after not in ("by", "from", "-")
        return known.get(f"{stem}-{tokens[j + 1].text}".casefold(), "") if joined and tokens[j + 1].text.isalpha() else ""

    def _stray(self, tokens: Sequence[Token], i: int) -> Chunk | None:
        """ "up-9", "N7", "A4-hub": written like the names of the network, but none of them."""
        if tokens[i].kind != "word" or i + 1 >= len(tokens) or not tokens[i + 1].glued:
            return None
        lettered = self._names.family(tokens[i].text + tokens[i + 1].text)
        single = i + 2 < len(tokens) and tokens[i + 2].glued and tokens[i + 2].kind == "word" and len(tokens[i + 2].text) == 1
        if lettered and single:
            text = "".join(t.raw for t in tokens[i : i + 3])
            return Chunk(UNKNOWN_NAME, i, i + 3, (lettered, text, []), text)
        j = i + 2 if tokens[i + 1].text in "-_." and i + 2 < len(tokens) and tokens[i + 2].glued else i + 1
        if tokens[j].kind != "number" or not tokens[j].text.isdigit():
            return None
        if tokens[i].text == "p" and j == i + 1:  # a percentile, whatever a cell is called
            return None
        kind = self._names.family(tokens[i].text)
        if kind is None and tokens[i + 1].text in "-_" and like_an_id(tokens, i):
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
        """ "fib-pit-up" where there is a fib-yard-up, "kingfisher-down": a link that is none, and no zone inside it."""
        kind = self._names.compound(tokens[i].text)
        j = i + 1
        while j + 1 < len(tokens) and tokens[j].text in "-_" and tokens[j].glued and tokens[j + 1].glued:
            j += 2
        if kind is None and tokens[i].kind == "word" and len(tokens[i].text) > 3 and tokens[i].text not in _BEFORE_UP:
            kind = LINK if tokens[j - 1].text in ("up", "down") else None
        if kind is None or j == i + 1:
            return None
        text = "".join(t.raw for t in tokens[i:j])
        return Chunk(UNKNOWN_NAME, i, j, (kind, text, []), text)

    def _strange_type(self, tokens: Sequence[Token], i: int) -> Chunk | None:
        """ "iot-premium", "relay-east" beside a relay-up: a kind of slice, or a link, that the network does not have."""
        glued = [t.text for t in tokens[i + 1 : i + 3] if t.glued]
        if len(glued) != 2 or glued[0] not in "-_" or tokens[i + 2].kind != "word" or len(glued[1]) < 3:
            return None
        kind = SLICE if lexicon.words().get(tokens[i].text) == "slicetype" and glued[1] not in _BEHIND_TYPES else None
        kind = kind or (LINK if glued[1] in _SIDES_OF_LINKS and self._names.begins_link(tokens[i].text) else None)
        text = "".join(t.raw for t in tokens[i : i + 3])
        return Chunk(UNKNOWN_NAME, i, i + 3, (kind, text, []), text) if kind else None

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
            if not near and count > 1:
                near = self._names.near_words([t.text for t in tokens[i:j] if t.kind != "symbol"])
            if len(near) == 1 and near[0].id.casefold() == f"{text}s".casefold() and _word_at(words, j) in _BUSY:
                return Chunk(NAME, i, j, tuple(near), text)  # "camera traffic" of the slice cameras
            if count == 1 and len(near) == 1 and near[0].kind == SLICE and text == f"{near[0].id.casefold()}s":
                return Chunk(NAME, i, j, tuple(near), text)  # "for consumers", of the slice consumer
            if near:
                return Chunk(FUZZY, i, j, (text, tuple(near)), text)
        return None


_BUSY = frozenset({"traffic", "demand", "load", "data", "slice", "usage"})


def _word_at(words: Sequence[str], j: int) -> str:
    return words[j] if j < len(words) else ""


def _lettered(tokens: Sequence[Token], j: int) -> bool:
    """ "pit-d" where there is a zone called pit, and cells pit-a to pit-c: another name, and not that of the zone."""
    if j + 1 >= len(tokens) or tokens[j].text != "-" or not (tokens[j].glued and tokens[j + 1].glued):
        return False
    ends = j + 2 >= len(tokens) or not tokens[j + 2].glued or tokens[j + 2].text in ",.;:!?)"
    return len(tokens[j + 1].text) == 1 and tokens[j + 1].text.isalpha() and ends


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
