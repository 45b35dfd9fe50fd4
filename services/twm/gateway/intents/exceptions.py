"""All but some: "everything except FWA", "all cells but cell 3" name those that are left; what no scope can say is marked."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents.chunks import NAME, Chunk
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE, Name, NameIndex

EXCLUDED = "excluded"
_BUT = frozenset({"but", "bar", "save"})


def exceptions(chunks: Sequence[Chunk], names: NameIndex) -> list[Chunk]:
    """Exceptions of slices or of cells replaced by the names of the others; other exceptions as chunks of tag EXCLUDED."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        elsewhere = _not_there(chunks, i)
        if elsewhere:
            i = elsewhere
            continue
        after = _excepted(chunks, i)
        if after < 0:
            out.append(chunks[i])
            i += 1
            continue
        named = chunks[after]
        kinds = {n.kind for n in named.value}
        kind = kinds.pop() if len(kinds) == 1 else ""
        excluded = {n.id for n in named.value}
        family = _family(chunks[:i], names) if kind == CELL else []
        rest = tuple(Name(kind, x) for x in family or names.ids.get(kind, []) if x not in excluded)
        follows = chunks[after + 1].tag if after + 1 < len(chunks) else "punct"
        doubtful = len(excluded) > 1 and follows not in ("punct", "window", "until", "for")  # "... except FWA, and URLLC needs"
        if kind in (SLICE, CELL) and rest and not doubtful:
            out.append(Chunk(NAME, chunks[i].start, named.end, rest, named.word))
        else:
            out += [Chunk(EXCLUDED, chunks[i].start, named.start, None, "excepting"), named]
        i = after + 1
    return out


_PLACES = frozenset({ZONE, CELL, LINK})


def _not_there(chunks: Sequence[Chunk], i: int) -> int:
    """ "..., not at the expo", "not on L1 but on L2": the chunk after a place that is denied beside another; 0 for none."""
    denied = chunks[i].word in ("not", "but not", "and not") or (chunks[i].tag == "neg" and chunks[i].word == "not")
    behind = i == 0 or chunks[i - 1].tag in ("punct", NAME, "quantity", "but", "and", "filler")
    j = i + 1
    while j < len(chunks) and j < i + 4 and (chunks[j].tag in ("in", "at", "on", "for") or chunks[j].word == "the"):
        j += 1
    if not (denied and behind and j > i + 1 and j < len(chunks) and chunks[j].tag == NAME):
        return 0
    verbal = i > 0 and chunks[i - 1].word in _VERBAL
    kinds = {n.kind for n in chunks[j].value}
    others = any(c.tag == NAME and {n.kind for n in c.value} & _PLACES for k, c in enumerate(chunks) if k != j)
    ends = j + 1 >= len(chunks) or chunks[j + 1].tag in ("punct", "but", "and", "window", "until")
    return j + 1 if kinds <= _PLACES and others and ends and not verbal else 0


_VERBAL = frozenset({"is", "are", "be", "do", "does", "can", "could", "would", "will", "did", "has", "have"})


def _excepted(chunks: Sequence[Chunk], i: int) -> int:
    """Position of the names that are excepted at `i`; -1 where there is no exception."""
    word = chunks[i].word
    if not (chunks[i].tag == EXCLUDED or word == "except" or (word in _BUT and _of_all(chunks, i))):
        return -1
    j = i + 1
    while j < len(chunks) and (chunks[j].tag in ("filler", "for", "in", "at", "on", "slicenoun", "zonenoun", "cellnoun", "of")):
        j += 1
    return j if j < len(chunks) and chunks[j].tag == NAME else -1


def _family(before: Sequence[Chunk], names: NameIndex) -> list[str]:
    """Cells of the zone that is named right before: "all cells of north bank but NOR-01"."""
    for chunk in reversed(before):
        if chunk.tag == NAME and len(chunk.value) == 1 and chunk.value[0].kind == ZONE:
            return list(names.cells_of[chunk.value[0].id])
        if chunk.tag not in ("filler", "zonenoun", "punct"):
            break
    return []


_ALL_WORDS = frozenset({"nothing", "none", "no", "everyone", "everybody", "nobody", "anyone", "anybody"})
_BETWEEN = frozenset({"filler", "of", "in", "at", "on", "zonenoun", "cellnoun", "slicenoun"})


def _of_all(chunks: Sequence[Chunk], i: int) -> bool:
    before = [c for c in chunks[max(i - 3, 0) : i] if c.tag != "filler" or c.word in _ALL_WORDS]
    if any(c.tag == "all" or c.word in _ALL_WORDS for c in before):
        return True
    j = i - 1
    while j >= 0 and (chunks[j].tag in _BETWEEN or (chunks[j].tag == NAME and chunks[j].value[0].kind == ZONE)):
        j -= 1
    return j >= 0 and j < i - 1 and chunks[j].tag == "all"
