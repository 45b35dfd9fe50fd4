"""Numbered names as they are dictated: "line seven", "up one", "L three", "c two oh one", "TN one, two and three"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from twm.gateway.intents.numbers import ONES, TENS
from twm.gateway.intents.tokens import Token, tokenize
from twm.gateway.intents.units import UNITS

MAX_NUMBER = 999
_MAX_WORDS = 8
_JOINTS = frozenset({",", "and", "&", "or"})
_NO_NAME_BEFORE = frozenset({"times", "fold", "x", "point", "hundred", "thousand", "million", "percent", "am", "pm", "oclock"})
_BEFORE_TEXT = """
and or on of in for relieve offload decongest unburden link links the keep hold both fibre that so have with without while
freeze overloading saturating congesting , : ; . ( - when if are
"""
_BEFORE = frozenset(_BEFORE_TEXT.split())
_AFTER_TEXT = """
and or is are will goes go must should shall has have at below under above over free for from until till tomorrow tonight
today both out down off needs need within can running runs drops loses , : ; . ) ! ? ( =
"""
_AFTER = frozenset(_AFTER_TEXT.split())
"""Beside these words "up one" and "down five" are links; "traffic is up five" is none."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A name as it is said."""

    kind: str
    id: str
    head: tuple[str, ...]
    """The words before its number."""
    common: bool
    """They are ordinary words: "up", "down"."""


class SpokenNames:
    """The dictated forms of the numbered names of one spec. Building is linear in their number."""

    def __init__(self) -> None:
        self._forms: dict[tuple[str, ...], list[Spoken]] = {}

    def add(self, kind: str, name_id: str, *, common: bool) -> None:
        """Learn a name; one without a number at its end is left out."""
        parts = [t.text for t in tokenize(name_id) if t.kind != "symbol"]
        head, last = tuple(parts[:-1]), parts[-1] if parts else ""
        if not head or not last.isdigit() or int(last) > MAX_NUMBER or not all(p.isalpha() for p in head):
            return
        said = Spoken(kind, name_id, head, common)
        for number in dict.fromkeys(spoken_numbers(last)):
            self._forms.setdefault((*head, *number), []).append(said)
        if common:
            self._forms.setdefault((*head, last), []).append(said)

    def match(self, tokens: Sequence[Token], i: int) -> tuple[list[Spoken], int] | None:
        """Names said from token `i` on, several after one head too, and the index after them."""
        words = [t.text for t in tokens[i : i + _MAX_WORDS + 1]]
        found = self._longest(words, tokens[i - 1].text if i else "")
        if found is None:
            return None
        first, j = found
        out, at = [first], i + j
        while True:
            k = at
            while k < len(tokens) and tokens[k].text in _JOINTS and k < at + 2:
                k += 1
            more = self._longest([*first.head, *(t.text for t in tokens[k : k + _MAX_WORDS])], "and")
            if more is None or more[0].kind != first.kind:
                return out, at
            out.append(more[0])
            at = k + more[1] - len(first.head)

    def _longest(self, words: list[str], before: str) -> tuple[Spoken, int] | None:
        for count in range(min(_MAX_WORDS, len(words)), 1, -1):
            said = self._forms.get(tuple(words[:count]), [])
            after = words[count] if count < len(words) else "."
            if len(said) != 1 or after in _NO_NAME_BEFORE or after in UNITS or after == "%":
                continue
            if said[0].common and not ((not before or before in _BEFORE) and after in _AFTER):
                continue
            return said[0], count
        return None


def spoken_numbers(digits: str) -> Iterator[tuple[str, ...]]:
    """The ways to say a number of a name: 201 is "two hundred and one", "two oh one", "two zero one"."""
    names = {value: word for word, value in (*ONES.items(), *TENS.items()) if word != "fourty"}
    for zero in ("zero", "oh"):
        yield tuple(zero if d == "0" else names[int(d)] for d in digits) if len(digits) > 1 else (names[int(digits)],)
    yield from _counted(int(digits), names)


def _counted(number: int, names: dict[int, str]) -> Iterable[tuple[str, ...]]:
    if number in names:
        return [(names[number],)]
    if number < 100:
        ten, one = names[number - number % 10], names[number % 10]
        return [(ten, one), (ten, "-", one)]
    rest = [()] if number % 100 == 0 else [x for r in _counted(number % 100, names) for x in (("and", *r), r)]
    return [(names[number // 100], "hundred", *r) for r in rest]
