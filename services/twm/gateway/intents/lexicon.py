"""The words of the grammar: each has one tag. Phrases are sequences of words with a tag of their own; the longest wins."""

from __future__ import annotations

from functools import lru_cache

from twm.gateway.intents.ordinary import ORDINARY
from twm.gateway.intents.phrases import PHRASES
from twm.gateway.intents.spelling import Speller
from twm.gateway.intents.vocabulary import FILLER, NAMING, NAMING_PARTS, WORDS

MAX_PHRASE = 8
_NO_TARGETS = frozenset(
    (
        "per",
        "lat",
        "dly",
        "thr",
        "tpt",
        "thru",
        "bw",
        "util",
        "utils",
        "pkt",
        "pkts",
        "prio",
        "ish",
        "hit",
        "hits",
        "act",
        "mine",
        "port",
        "hop",
        "hops",
        "path",
        "paths",
        "mar",
        "jun",
        "jul",
        "sept",
        "dec",
        "nov",
    )
)
"""Short and rare words: as targets they would swallow names."""


@lru_cache(maxsize=1)
def words() -> dict[str, str]:
    """Word to tag; words without a meaning have the tag "filler"."""
    table = dict.fromkeys(FILLER.split(), "filler")
    for tag, entries in WORDS.items():
        table.update(dict.fromkeys(entries.split(), tag))
    return table


@lru_cache(maxsize=1)
def naming() -> frozenset[str]:
    """Words without a meaning here that things are named after."""
    return frozenset(NAMING.split())


@lru_cache(maxsize=1)
def naming_parts() -> frozenset[str]:
    """Words without a meaning here that names of several words have in them."""
    return naming() | frozenset(NAMING_PARTS.split())


@lru_cache(maxsize=1)
def fixed() -> frozenset[str]:
    """Words that look like slips of the pen but are none: ordinary ones, and those of phrases."""
    return frozenset(ORDINARY.split()) | frozenset(word for phrase in phrases() for word in phrase)


@lru_cache(maxsize=1)
def phrases() -> dict[tuple[str, ...], str]:
    """Phrase to tag. A hyphen is a word of its own."""
    table: dict[tuple[str, ...], str] = {}
    for tag, entries in PHRASES.items():
        for entry in entries.split("|"):
            table[tuple(entry.replace("-", " - ").split())] = tag
    return table


@lru_cache(maxsize=1)
def phrase_starts() -> frozenset[str]:
    """First words of phrases."""
    return frozenset(phrase[0] for phrase in phrases())


@lru_cache(maxsize=1)
def speller() -> Speller:
    """Nearest known word."""
    return Speller(word for word in words() if word.isalpha() and len(word) > 2 and word not in _NO_TARGETS)
