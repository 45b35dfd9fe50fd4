"""Misspelt words: nearest word of a fixed list, through an index of words with one letter left out."""

from __future__ import annotations

from collections.abc import Iterable

MIN_LENGTH = 3
LONG = 8
MAX_LENGTH = 40


class Speller:
    """Nearest words of a list. A word of 3 letters may lack one or have two swapped; of 4 to 7 one edit; from 8 on two."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(words)
        self._index: dict[str, list[str]] = {}
        for word in sorted(self._words):
            if MIN_LENGTH <= len(word) <= MAX_LENGTH:
                for key in _shortened(word):
                    self._index.setdefault(key, []).append(word)

    def nearest(self, word: str) -> tuple[list[str], int]:
        """Nearest words and their distance; ([], 0) where none is near enough."""
        if word in self._words:
            return [word], 0
        if not MIN_LENGTH <= len(word) <= MAX_LENGTH:
            return [], 0
        bound = 2 if len(word) >= LONG else 1
        best: list[str] = []
        for candidate in dict.fromkeys(c for key in _shortened(word) for c in self._index.get(key, ())):
            if len(word) == MIN_LENGTH and len(candidate) <= len(word) and sorted(candidate) != sorted(word):
                continue
            found = distance(word, candidate, bound)
            if found < bound or (found == bound and not best):
                if found < bound:
                    best = []
                bound = found
                best.append(candidate)
            elif found == bound:
                best.append(candidate)
        return best, bound if best else 0


def _shortened(word: str) -> set[str]:
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def distance(a: str, b: str, bound: int) -> int:
    """Edits between two words, a swap of neighbours counting as one; `bound` + 1 where there are more."""
    if abs(len(a) - len(b)) > bound:
        return bound + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        if min(new) > bound:
            return bound + 1
        before, row = row, new
    return row[-1]
