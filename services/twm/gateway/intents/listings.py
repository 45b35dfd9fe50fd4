"""Names that belong together: lists of names, rows of cells, two transport nodes that stand for the links between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twm.gateway.intents.chunks import EITHER, NAME, NODE_DIRECTED, NODE_JOINTS, QUANTITY, UNKNOWN_NAME, Chunk
from twm.gateway.intents.names import CELL, LINK, NODE, SLICE, Name, NameIndex
from twm.gateway.intents.units import DELAY, FACTOR, FRACTION, PRB, RATE, RATIO

_ORDERING = frozenset({"over", "before", "win", "above", "moreimportant"})
_KPIS = frozenset({"delay", "p99", "percentile", "mean", "loss", "delivered", "throughput"})
_BEFORE_NAMES = frozenset({"filler", "share", "of", "slicenoun", "prb", "in", "all", "than", "to", "for"})
_BEFORE_FIGURES = frozenset({"filler", "slicenoun", "hold", "with", "reserve", "share", "prb", "bandwidth", "at", "cap"})
_MEASURED = frozenset({DELAY, RATE, FACTOR, RATIO, FRACTION, PRB})
_SIDES = frozenset({"atmost", "atleast", "below", "above"})


def listed(chunks: Sequence[Chunk], names: NameIndex) -> list[Chunk]:
    """Chunks with such names joined."""
    return _merge_lists(span_cells(_joined_nodes(chunks, names), names))


def _joined_nodes(chunks: Sequence[Chunk], names: NameIndex) -> list[Chunk]:
    """ "N2-N0", "from N0 to N2", "between N4 and N0": two nodes make links."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        a = chunks[i]
        joint = chunks[i + 1] if i + 1 < len(chunks) else None
        b = chunks[i + 2] if i + 2 < len(chunks) else None
        if _is_node(a) and joint is not None and b is not None and joint.word in NODE_JOINTS and _is_node(b):
            x, y = a.value[0].id, b.value[0].id
            ids = list(names.links_between.get((x, y), []))
            if joint.word not in NODE_DIRECTED:
                ids += names.links_between.get((y, x), [])
            value: Any = tuple(Name(LINK, n) for n in sorted(ids, key=lambda n: names.rank[LINK, n]))
            tag = NAME
            if not ids:
                tag, value = UNKNOWN_NAME, (LINK, f"{x}-{y}", [])
            if out and out[-1].tag in ("between", "from"):
                out.pop()
            out.append(Chunk(tag, a.start, b.end, value, "link"))
            i += 3
            continue
        if a.word == "link" and a.tag == NAME and out and out[-1].tag in ("between", "from"):
            out.pop()
        out.append(a)
        i += 1
    return out


def _is_node(chunk: Chunk) -> bool:
    return chunk.tag == NAME and len(chunk.value) == 1 and chunk.value[0].kind == NODE


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
                    and not (not listed and _ends_order(chunks, i, k))
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
                    said = tuple(dict.fromkeys(chunk.value + chunks[i].value))
                    if chunks[i].word == "link" and set(chunk.value) <= set(chunks[i].value):
                        said = chunk.value  # "L1 between core and edge"
                    chunk = Chunk(NAME, chunk.start, chunks[i].end, said, chunk.word)
                    i += 1
                else:
                    break
        out.append(chunk)
    return out


def span_cells(chunks: Sequence[Chunk], names: NameIndex) -> list[Chunk]:
    """ "EXP-01 to EXP-03", "TN-3 through TN-6": two of one family stand for those between them in the network spec."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        ends = [chunks[k] for k in (i, i + 2) if k < len(chunks)]
        if (
            len(ends) == 2
            and chunks[i + 1].word in ("to", "through", "thru", "till", "until", "-", "–", "..", "…")
            and all(c.tag == NAME and len(c.value) == 1 and c.value[0].kind in (CELL, LINK) for c in ends)
            and ends[0].value[0].kind == ends[1].value[0].kind
        ):
            kind = ends[0].value[0].kind
            first, last = (names.rank[kind, c.value[0].id] for c in ends)
            between = tuple(Name(kind, x) for x in names.ids[kind][first : last + 1])
            family = _family(ends[0].value[0].id)
            if between and all(_family(n.id) == family for n in (*between, ends[1].value[0])):
                out.append(Chunk(NAME, chunks[i].start, ends[1].end, between, chunks[i].word))
            else:
                text = f"{ends[0].value[0].id} to {ends[1].value[0].id}"
                out.append(Chunk(UNKNOWN_NAME, chunks[i].start, ends[1].end, (kind, text, []), text))
            i += 3
            continue
        out.append(chunks[i])
        i += 1
    return out


def _family(name_id: str) -> str:
    """What cells or links of one row share: "EXP-" of "EXP-02", "pit-" of "pit-b"."""
    cut = max(name_id.rfind(sign) for sign in "-_./")
    return name_id[: cut + 1] if cut >= 0 else name_id.rstrip("0123456789")


def _ends_order(chunks: Sequence[Chunk], i: int, k: int) -> bool:
    """ "A first, then B, C last": B and C stand apart."""
    after = next((c for c in chunks[k + 1 :] if c.tag not in ("filler", "slicenoun")), None)
    behind = chunks[i].word == "," and k == i + 1 and after is not None and after.tag in ("last", "third")
    return behind and any(c.tag in ("then", "first", "next", "second") for c in chunks[:i])


def _next_pair(chunks: Sequence[Chunk], chunk: Chunk, i: int, k: int) -> bool:
    """ "A over B, C over A", "freeze A, B delay below 9 ms": the comma parts two orders, and joins no list."""
    ahead = chunks[k + 1].tag if k + 1 < len(chunks) else ""
    at = next((n for n in range(i - 1, -1, -1) if chunks[n].start == chunk.start), 0)
    behind = chunks[at - 1].tag if at else ""
    if (_ordered(chunks, at) or (behind == "prio" and chunks[i].word == ",")) and _bounded_list(chunks, i, k):
        return True
    if chunks[i].word == "," and _link_anew(chunks, at, k):
        return True
    return chunks[i].word == "," and ahead in _ORDERING and behind in _ORDERING


def _ordered(chunks: Sequence[Chunk], at: int) -> bool:
    """Whether the name at `at` has its own order: "freeze A", "no changes to A", "B over A", "B is more important than A"."""
    if chunks[at].tag != NAME or chunks[at].value[0].kind not in (SLICE, LINK):
        return False
    near = chunks[max(at - 6, 0) : at]
    told = [c for c in near if c.tag not in _BEFORE_NAMES]
    if not told:
        return False
    if told[-1].tag == "freeze":
        return True
    if told[-1].tag == "change":
        return any(c.tag == "neg" or c.word in ("no", "any") for c in near)
    others = any(c.tag == NAME and c.value[0].kind == SLICE for c in told)
    return told[-1].tag in _ORDERING | {"yield", "lessimportant", "important", "then"} and others


def _link_anew(chunks: Sequence[Chunk], at: int, k: int) -> bool:
    """ "... at least 30 % on up-1, up-3 down tonight": behind a bound, a link with a statement of its own opens another."""
    if (
        chunks[at].tag != NAME
        or chunks[at].value[0].kind != LINK
        or not any(c.tag == QUANTITY for c in chunks[max(at - 4, 0) : at])
    ):
        return False
    rest = [c for c in chunks[k + 1 : k + 5] if c.tag not in ("filler", "hold", "util")]
    work = bool(rest) and rest[0].tag in ("down", "fail", "maint", "lose", "degrade")
    return work or (len(rest) > 1 and rest[0].tag in _SIDES and rest[1].tag == QUANTITY)


def _bounded_list(chunks: Sequence[Chunk], i: int, k: int) -> bool:
    """Whether a statement begins at the name at `k`, or behind a comma at two names: "freeze A, B and C below 9 ms"."""
    paired = chunks[i].word == "," and k + 2 < len(chunks) and chunks[k + 1].tag == "and" and chunks[k + 2].tag == NAME
    return _bounded(chunks, k) or (paired and _bounded(chunks, k + 2))


def _bounded(chunks: Sequence[Chunk], k: int) -> bool:
    """Whether a statement of its own begins at the name at `k`: a KPI, demand, a figure, or a side and a figure."""
    rest = [c for c in chunks[k + 1 : k + 7] if c.tag not in _BEFORE_FIGURES]
    if len(rest) > 1 and rest[0].tag in _SIDES:
        return rest[1].tag == QUANTITY and rest[1].value.dim in _MEASURED
    measured = bool(rest) and rest[0].tag == QUANTITY and rest[0].value.dim in _MEASURED
    return measured or (bool(rest) and rest[0].tag in _KPIS | {"demand"})


def _one_kind(chunk: Chunk) -> bool:
    return len({n.kind for n in chunk.value}) == 1
