"""Judges a text from outside: may a language model see it, or is it held back.

Two layers, both deterministic: a text with signs of an instruction is held back whole; of any other a model sees the words of a
closed vocabulary alone (vocabulary.py). People always see all of it, cleaned and marked. What a model says or asks for after
reading is checked by others (no write path, number check), whatever it was told.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from twm.core import metrics
from twm.core.text import clean
from twm.gateway.screening.signs import HIDING, SIGNS, STRONG
from twm.gateway.screening.views import MAX_CHARACTERS, readings
from twm.gateway.screening.vocabulary import reduce

HELD_BACK = "[text held back: it reads like instructions]"
LIMIT = 2
"""Sum of weights from which a text is held back."""


@dataclass(frozen=True)
class Screened:
    """What was found in a text."""

    text: str
    """Cleaned, at most the limit: for people."""
    signs: tuple[str, ...]
    """Kinds found, sorted."""
    held_back: bool

    def for_model(self, names: Set[str] = frozenset()) -> str:
        """What a language model may see. `names`: ids of the network."""
        return HELD_BACK if self.held_back else reduce(self.text, names)


def screen(text: str, *, source: str, limit: int = MAX_CHARACTERS) -> Screened:
    """`text` from a network element or another system. `source`: for the metric, one of few words. Never raises."""
    cleaned = clean(text, limit)
    found: dict[str, int] = {f"hidden_{name}": STRONG for name in cleaned.findings if name in HIDING}
    for name, reading in readings(text):
        if name == "joined":
            found["spelled_out"] = STRONG
        for sign in SIGNS:
            if sign.name in found and found[sign.name] >= sign.weight:
                continue
            if sign.pattern.search(reading):
                found[sign.name] = sign.weight
                if name == "decoded":
                    found["encoded"] = STRONG
    held_back = sum(found.values()) >= LIMIT
    if held_back:
        metrics.TEXTS_HELD_BACK.labels(source).inc()
    return Screened(cleaned.text, tuple(sorted(found)), held_back)
