"""Words with the misspelt ones among them put right."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from twm.gateway.intents import lexicon
from twm.gateway.intents.numbers import NUMBER_WORDS
from twm.gateway.intents.spelling import Speller
from twm.gateway.intents.tokens import Token
from twm.gateway.intents.units import UNIT_WORDS

_COMPARED_WORDS = "less more lower higher greater smaller bigger larger longer shorter faster slower fewer"
_COMPARED = frozenset(_COMPARED_WORDS.split())
"""Before these "then" is a slip for "than"."""


@lru_cache(maxsize=1)
def _units() -> Speller:
    return Speller(UNIT_WORDS)


def correct(tokens: Sequence[Token]) -> list[str]:
    """The tokens' words with misspelt ones put right; names are not touched where they are matched, which uses the tokens."""
    known, ordinary, speller, units = lexicon.words(), lexicon.fixed(), lexicon.speller(), _units()
    out: list[str] = []
    for i, token in enumerate(tokens):
        word = token.text
        if token.raw == "n" and 0 < i < len(tokens) - 1 and not token.glued and not tokens[i + 1].glued:
            word = "and"
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
