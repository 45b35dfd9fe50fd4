"""Names of the network spec, found in a text as literal token sequences: a name is data, whatever it spells.

A name that is also a word of the grammar ("below", "cells", "p99") counts only in quotes or beside its class noun
("zone below"), so that a spec cannot change what ordinary words mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from twm.core.network import NetworkSpec
from twm.gateway.intents import lexicon
from twm.gateway.intents.numbers import ONES
from twm.gateway.intents.spelling import Speller, distance
from twm.gateway.intents.spoken import SpokenNames
from twm.gateway.intents.tokens import Token, tokenize
from twm.gateway.intents.units import UNITS

SLICE, ZONE, CELL, LINK, NODE = "slice", "zone", "cell", "link", "node"
_NOUNS = {"slicenoun": SLICE, "zonenoun": ZONE, "cellnoun": CELL, "linknoun": LINK, "nodenoun": NODE}
_FREE = frozenset({"place", "slicetype", ""})
_SEPARATORS = frozenset("-_./")
_SHORTENED = frozenset({"st", "ste", "mt", "ft", "dr", "pt", "av", "no", "nr"})
"""Behind these a full stop goes on with a name: "St. Anna"."""
_PERCENTILE = re.compile(r"p\d+|x\d+|\d.*", re.IGNORECASE)
_RISING = frozenset({"demand", "throughput", "util", "loss", "delay", "cost", "share"})
"""Before "up two" these make it a rise, and no name."""
_LETTERED = re.compile(r"[-_][a-zA-Z]$")
_LARGE = frozenset({"a", "ten", "twenty", "fifty", "hundred", "thousand", "every"})
_SPOKEN = {word: str(value) for word, value in ONES.items()}
_NUMBERED = re.compile(r"[-_.]?(\d{1,9})$")


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the spec."""

    kind: str
    id: str


@dataclass(slots=True)
class _Node:
    next: dict[tuple[str, bool], _Node] = field(default_factory=dict)
    names: list[Name] = field(default_factory=list)


class NameIndex:
    """All names of one spec. Building is linear in their total length."""

    def __init__(self, spec: NetworkSpec) -> None:
        self._root = _Node()
        self._numbers: dict[str, dict[int, list[str]]] = {CELL: {}, LINK: {}, ZONE: {}}
        self._joined: dict[str, list[Name]] = {}
        self._several: dict[str, list[tuple[tuple[str, ...], Name]]] = {}
        self._reserved: set[str] = set()
        self._families: dict[str, str] = {}
        self._endings: dict[str, list[Name]] = {}
        self._compounds: dict[str, str] = {}
        self._stems: dict[tuple[str, str], list[str]] = {}
        self.spoken = SpokenNames()
        self.ids: dict[str, list[str]] = {
            SLICE: [s.id for s in spec.slices],
            ZONE: [z.id for z in spec.zones],
            CELL: [c.id for c in spec.cells],
            LINK: [link.id for link in spec.transport.links],
            NODE: list(spec.transport.nodes),
        }
        self.cells_of = {z.id: tuple(z.cells) for z in spec.zones}
        self.rank = {(kind, name): i for kind, names in self.ids.items() for i, name in enumerate(names)}
        self.links_between: dict[tuple[str, str], list[str]] = {}
        for link in spec.transport.links:
            self.links_between.setdefault((link.source, link.target), []).append(link.id)
        for kind, ids in self.ids.items():
            for name_id in ids:
                self._add(Name(kind, name_id))
        self._speller = Speller(self._joined)
        self._first_words = Speller(self._several)

    def _add(self, name: Name) -> None:
        tokens = tokenize(name.id)
        words = [t for t in tokens if t.kind != "symbol"]
        node = self._root
        for i, token in enumerate(words):
            glued = i > 0 and token.glued and tokens[tokens.index(token) - 1].kind != "symbol"
            node = node.next.setdefault((token.text, glued), _Node())
        node.names.append(name)
        self._joined.setdefault("".join(t.text for t in words), []).append(name)
        if len(words) > 1 and all(t.kind == "word" and len(t.text) > 1 for t in words):
            self._several.setdefault(words[0].text, []).append((tuple(t.text for t in words), name))
        known = lexicon.words()
        parts = tuple(t.text for t in words)
        own = lexicon.naming_parts() if sum(p.isalpha() for p in parts) > 1 else lexicon.naming()
        plain = len(parts) > 1 and any(known.get(p) == "filler" and len(p) > 3 for p in parts)
        if not plain and all(known.get(p, "" if p.isalpha() else "number") not in _FREE and p not in own for p in parts):
            self._reserved.add(name.id)
        if _PERCENTILE.fullmatch(name.id) or parts in lexicon.phrases():
            self._reserved.add(name.id)
        if len(words) > 1 and name.kind in (CELL, LINK):
            self._stems.setdefault((name.kind, "-".join(t.text for t in words[:-1])), []).append(name.id)
        lettered = _LETTERED.search(name.id)
        if lettered and name.kind in (CELL, LINK):
            self._families.setdefault(name.id[: lettered.start() + 1].casefold(), name.kind)
        self.spoken.add(name.kind, name.id, common=name.id in self._reserved)
        numbered = _NUMBERED.search(name.id)
        if numbered and name.kind in (CELL, LINK, NODE) and numbered.start():
            self._families.setdefault(name.id[: numbered.start()].casefold(), name.kind)
        if numbered and name.kind in self._numbers:
            self._numbers[name.kind].setdefault(int(numbered[1]), []).append(name.id)
        if name.kind in (CELL, LINK) and len(words) > 2 and words[0].text not in known and all(t.glued for t in tokens[1:]):
            self._compounds.setdefault(words[0].text, name.kind)
        if name.kind == ZONE and len(words) > 1 and words[-1].kind == "word" and len(words[-1].text) > 3:
            self._endings.setdefault(words[-1].text, []).append(name)

    def numbered(self, kind: str, number: int) -> list[str]:
        """Ids of that kind that end in the number."""
        return self._numbers.get(kind, {}).get(number, [])

    def family(self, prefix: str) -> str | None:
        """Kind of the names that are this prefix and a number."""
        return self._families.get(prefix)

    def compound(self, first: str) -> str | None:
        """Kind of the names of three words or more that begin with `first`, where that is no word ("fib" of "fib-yard-up")."""
        return self._compounds.get(first)

    def stem(self, kind: str, text: str) -> list[str]:
        """Ids of that kind that are `text` and one part more ("lift-1", "lift-2" of "lift"), where there are two or more."""
        found = self._stems.get((kind, text), [])
        return found if len(found) > 1 else []

    def ending_of(self, plural: str) -> list[Name]:
        """Zones whose names of several words end in that word in the plural ("both tunnels"), where there are two or more."""
        found = self._endings.get(plural[:-1], []) if plural.endswith("s") else []
        return found if len(found) > 1 else []

    def begins_link(self, word: str) -> bool:
        """Whether links are called so before a hyphen ("relay" of "relay-up")."""
        return any(x.casefold().startswith((f"{word}-", f"{word}_")) for x in self.ids[LINK])

    def ending(self, word: str) -> Name | None:
        """The one zone whose name of several words ends in `word` ("the enterprises")."""
        found = self._endings.get(word, [])
        return found[0] if len(found) == 1 else None

    def node_at(self, tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[str, int] | None:
        """The transport node at token `i`, whatever word it is named with, and the index after it."""
        found = self.match(tokens, words, i, kind=NODE)
        return (found[0][0].id, found[1]) if found is not None else None

    def match(self, tokens: Sequence[Token], words: Sequence[str], i: int, kind: str = "") -> tuple[list[Name], int] | None:
        """Names at token `i`, the longest, and the index after them; with `kind` of that kind alone, whatever they spell."""
        quoted = i > 0 and tokens[i - 1].text in "\"'`“”‘’«»"
        noun = _NOUNS.get(lexicon.words().get(words[i - 1], "")) if i > 0 else None
        node, j, best, hyphened, spoken = self._root, i, None, True, False
        while j < len(tokens):
            token = tokens[j]
            if j == i:
                key = (token.text, False)
            elif token.glued and tokens[j - 1].kind != "symbol":
                key = (token.text, True)
            else:
                if tokens[j - 1].kind != "symbol":
                    hyphened = False
                key = (token.text, False)
            if token.kind == "symbol":
                break
            found = node.next.get(key)
            if found is None and j > i and not token.glued and token.text in _SPOKEN and _no_figure(words, j):
                digit, spoken = _SPOKEN[token.text], lexicon.words().get(words[i - 1] if i else "") not in _RISING
                found = node.next.get((digit, False)) or node.next.get((digit, True))
            if found is None or (j > i and not token.glued and tokens[j - 1].kind != "symbol" and _figure(tokens, words, j)):
                break
            node, j = found, j + 1
            if node.names:
                allowed = [
                    n
                    for n in node.names
                    if (n.kind == kind if kind else spoken or self._allowed(n, quoted, noun, hyphened and j - i > 1, words, j))
                ]
                if allowed and not (j < len(tokens) and tokens[j].glued and tokens[j].kind != "symbol"):
                    best = (allowed, j)
            if j + 1 < len(tokens) and tokens[j].text in _SEPARATORS and tokens[j].glued:
                short = tokens[j].text == "." and tokens[j - 1].text in _SHORTENED and tokens[j + 1].kind == "word"
                j += 1 if short or _glued_word(tokens[j + 1]) else 0
        return best

    def _allowed(self, name: Name, quoted: bool, noun: str | None, hyphened: bool, words: Sequence[str], j: int) -> bool:
        if name.id not in self._reserved or quoted or noun == name.kind:
            return True
        if _NOUNS.get(lexicon.words().get(words[j], "") if j < len(words) else "") == name.kind and name.kind != LINK:
            return (
                len(words[j]) > 1
                and not name.id.isdigit()
                and lexicon.words().get(name.id.casefold(), "") not in ("all", "neg")
            )
        tokens = [t for t in tokenize(name.id) if t.kind != "symbol"]
        if tuple(t.text for t in tokens) in lexicon.phrases() or _PERCENTILE.fullmatch(name.id):
            return False
        return hyphened or (len(tokens) > 1 and _NOUNS.get(lexicon.words().get(tokens[0].text, "")) == name.kind)

    def near(self, text: str) -> list[Name]:
        """Names that differ from the joined words `text` by a slip of the pen, but do differ."""
        found, edits = self._speller.nearest(text)
        if not found or len(text) < 4 or (edits > 1 and len(text) < 8):
            return []
        return [name for joined in found for name in self._joined[joined] if len(joined) >= 4]

    def near_words(self, said: Sequence[str]) -> list[Name]:
        """Names of as many words, each with at most one slip of the pen ("nroth tunel")."""
        first, edits = self._first_words.nearest(said[0])
        return [
            name
            for word in (first if edits < 2 else ())
            for words, name in self._several.get(word, ())
            if len(words) == len(said)
            and all(a == b or (len(b) > 3 and distance(a, b, 1) == 1) for a, b in zip(said, words, strict=True))
        ]

    def nearest(self, kind: str, text: str, count: int = 3) -> list[str]:
        """Ids of that kind, those nearest to `text` first."""
        ids = self.ids[kind]
        if len(ids) > 64:
            return ids[:count]
        return sorted(ids, key=lambda i: (distance(text.casefold(), i.casefold(), 8), self.rank[kind, i]))[:count]


def _figure(tokens: Sequence[Token], words: Sequence[str], j: int) -> bool:
    """ "traffic up 5 %": a figure with a unit after a blank is no part of a name."""
    return tokens[j].kind == "number" and not _no_figure(words, j)


def _no_figure(words: Sequence[str], j: int) -> bool:
    """Whether no unit follows the number."""
    after, then, last = (words[k] if k < len(words) else "" for k in (j + 1, j + 2, j + 3))
    if after in ("in", "out"):  # "2 in 100", "2 out of 100", but "tenant 2 in the harbour" and "fibre 3 out of service"
        many = last if after == "out" and then == "of" else then
        return not (many[:1].isdigit() or many in _LARGE)
    return after not in UNITS and after not in ("per", "point", "hundred", "thousand", "-")


def _glued_word(token: Token) -> bool:
    return token.glued and token.kind != "symbol"
