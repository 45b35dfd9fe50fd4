"""Which side a figure bounds, and how sure one wants to be: comparators before and after a figure, negations, risk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.units import COUNT, FRACTION, RATE, RATIO, Quantity

AT_MOST, AT_LEAST, EXACT = "at_most", "at_least", "exact"
_DIRECT = {"atleast": AT_LEAST, "atmost": AT_MOST}
_GIVEN = frozenset({"belong", "belongs", "reserved", "guaranteed", "dedicated", "allotted", "assigned", "granted", "secured"})
"""Behind a share: "15 % of the PRBs belong to URLLC"."""
_SLOW = frozenset({"slower", "longer", "later", "worse", "hotter", "fuller", "busier"})
_FAST = frozenset({"faster", "quicker", "sooner", "shorter", "earlier", "better", "cooler"})
_ABOVE, _BELOW = frozenset({"above", "over", "more"}), frozenset({"below", "less"})


@dataclass(frozen=True, slots=True)
class Bound:
    """A quantity that bounds something."""

    quantity: Quantity
    side: str
    """AT_MOST, AT_LEAST, EXACT, or "" where nothing says."""
    position: int
    said: bool = True
    """The side stands beside the quantity; otherwise it follows from the verb."""
    permitted: bool = False
    """It was said that the figure may be passed: no bound at all."""


def bound_of(clause: Clause, position: int, taken: set[int]) -> Bound:
    """The quantity at `position` with its side: the nearest comparator before it, else one after, else the verb."""
    chunks = clause.chunks
    quantity: Quantity = chunks[position].value
    negated = permitted = False
    side, said = "", True
    i = position - 1
    while i >= 0 and not (chunks[i].tag in (QUANTITY, "range") and i not in taken):
        tag = chunks[i].tag
        if i in taken:
            i -= 1
            continue
        if tag in _DIRECT:
            falls = chunks[i].word == "down to" and any(c.tag == "allow" for c in chunks[:i])
            side = AT_LEAST if falls else _DIRECT[tag]
            break
        up = _upward(chunks, i, quantity)
        if up is not None:
            if tag not in ("above", "below") and not _near(chunks, i, position):
                i -= 1
                continue
            denied = any(c.tag == "neg" for c in chunks[:i]) or clause.opener in ("nor", "without")
            negated = denied or _condemned(chunks, i, position)
            permitted = not negated and any(c.tag == "allow" or c.word in ("can", "could", "might") for c in chunks[:i])
            side = (AT_MOST if negated else AT_LEAST) if up else (AT_LEAST if negated else AT_MOST)
            break
        i -= 1
    if not side:
        side = _after(chunks, position)
    if not side:
        tags = {c.tag for c in chunks[:position]}
        before = [c.tag for c in chunks[:position]]
        said = False
        if "pin" in tags:
            side = EXACT
        elif "allow" in tags and tags & {"reduce", "down"} and before[-1:] == ["to"] and "neg" not in tags:
            side = AT_LEAST  # "may drop to 20 Mbps"
        elif ("allow" in tags and "neg" not in tags) or (
            "cap" in tags
            or any(c.tag == "cap" for c in chunks[position + 1 : position + 3])
            or ("neg" in tags and ("reserve" in tags or "break" in tags or "lose" in tags))
        ):
            side = AT_MOST
        elif "reserve" in tags and not ("hold" in before and before.index("hold") < position and "reserve" not in before):
            side = AT_LEAST
    return Bound(quantity, side, position, said, permitted)


_BAD = frozenset({"unacceptable", "intolerable", "forbidden", "prohibited", "banned", "disallowed", "unusable", "useless"})
_GOOD = frozenset(
    {"acceptable", "accepted", "ok", "okay", "fine", "allowed", "tolerable", "tolerated", "good", "permitted", "on"}
)


def _condemned(chunks: Sequence[Chunk], i: int, position: int) -> bool:
    """ "Anything slower than 12 ms is unacceptable", "less than 20 Mbps is not acceptable": what is on that side may not be."""
    told = any(
        c.word in ("anything", "everything", "whatever", "is", "are", "counts") for c in (*chunks[:i], *chunks[position + 1 :])
    )
    words = [w for c in chunks[position + 1 :] if c.tag not in (NAME, QUANTITY) for w in c.word.split()]
    denied = any(w in ("not", "no", "isn't", "never") and _GOOD & set(words[k + 1 : k + 4]) for k, w in enumerate(words))
    return told and (bool(_BAD & set(words)) or denied)


def _upward(chunks: Sequence[Chunk], i: int, quantity: Quantity) -> bool | None:
    """Whether the comparator at `i` means more; None where it is none. "Slower" is more of a delay and less of a data rate."""
    word, tag = chunks[i].word, chunks[i].tag
    if word in _SLOW | _FAST and i + 1 < len(chunks) and chunks[i + 1].tag == "than":
        return (word in _SLOW) != (quantity.dim == RATE)
    return True if tag in _ABOVE else False if tag in _BELOW else None


def _near(chunks: Sequence[Chunk], i: int, position: int) -> bool:
    return all(
        c.tag in ("than", "filler", "about", "neg", "of", "at", "punct") or c.word in ("the",) for c in chunks[i + 1 : position]
    )


def _after(chunks: Sequence[Chunk], position: int) -> str:
    for k in range(position + 1, len(chunks)):
        tag = chunks[k].tag
        if tag in _DIRECT:
            nxt = chunks[k + 1] if k + 1 < len(chunks) else None
            if nxt is not None and nxt.tag == QUANTITY:
                return ""
            return _DIRECT[tag]
        if tag in (QUANTITY, "range"):
            return ""
        if tag == "pin" and chunks[k].word.startswith(("no ", "not ", "exactly")):
            return EXACT
        if chunks[k].word in ("ceiling", "cap"):
            return AT_MOST
        if chunks[k].word == "floor" or chunks[k].word in _GIVEN:
            return AT_LEAST
    return ""


_NOWADAYS = frozenset({"current", "present", "existing", "currently", "presently", "today's", "actual", "yesterday's", "now"})
_IS = frozenset({"is", "has", "gets", "was", "had", "uses", "sees", "have", "are", "were", "did", "does", "loses", "takes"})


def against_now(clause: Clause, position: int) -> bool:
    """ "half of what it is now", "20 % below today's loss", "10 points more than it has today": no bound."""
    after: list[str] = []
    for chunk in clause.chunks[position + 1 : position + 9]:
        if chunk.tag in (QUANTITY, "range", "punct"):
            break
        after += ["today"] if chunk.tag == "window" else [chunk.word]
    if not after or after[0] not in _COMPARING or "capacity" in after:
        return False
    told = next((i for i, w in enumerate(after) if w in ("what", "it", "they", "than", "of", "below", "above", "under")), -1)
    known = bool(_NOWADAYS & set(after)) or ("than" in after and after[-1:] == ["today"])
    is_so = any(a in ("what", "it", "they", "we", "level") and _IS & set(after[i : i + 4]) for i, a in enumerate(after))
    return told >= 0 and (known or is_so)


_COMPARING = frozenset(
    {"of", "on top", "below", "above", "under", "over", "less", "more", "lower", "higher", "than", "better", "the"}
)


@dataclass(slots=True)
class Risk:
    """Violation probability that was named, and where."""

    probability: float
    taken: set[int] = field(default_factory=set)


def risk_of(clause: Clause) -> Risk | None:
    """ "with 95 % confidence", "risk of no more than 5 %", "98 % certain"."""
    chunks = clause.chunks
    marks = [i for i, c in enumerate(chunks) if c.tag in ("risk", "confidence") and not _made_sure(chunks, i)]
    if not marks:
        return None
    figures = [
        i
        for i, q in clause.quantities()
        if q.dim in (RATIO, FRACTION) or (q.dim == COUNT and 0 < q.value < 1) or (q.dim == COUNT and _beside(i, marks))
    ]
    if not figures:
        return None
    chosen, mark = -1, marks[0]
    for m in marks:
        right = [i for i in figures if 0 < m - i <= 3 and not _blocked(chunks, i, m)]
        if right and any(c.tag == "with" for c in chunks[right[-1] + 1 : m]):
            right = []
        left = [i for i in figures if i > m and not any(c.tag == QUANTITY for c in chunks[m + 1 : i])]
        if right:
            chosen, mark = right[-1], m
            break
        if left:
            chosen, mark = _its_own(chunks, figures, m, left[0]), m
            break
    if chosen < 0:
        if len(figures) != 1:
            return None
        chosen = figures[0]
    quantity: Quantity = chunks[chosen].value
    value = quantity.value / 100 if quantity.dim == COUNT and quantity.value >= 1 else quantity.value
    sure = chunks[mark].tag == "confidence" or (chunks[mark].word != "risk" and value > 0.5)
    probability = 1 - value if sure else value
    taken = {chosen, *marks}
    for i in (*range(max(chosen - 2, 0), chosen), *range(chosen + 1, min(chosen + 2, len(chunks)))):
        if chunks[i].tag in ("atmost", "atleast", "below", "less", "than", "neg", "above", "more"):
            taken.add(i)
    return Risk(round(probability, 9), taken)


def _its_own(chunks: Sequence[Chunk], figures: Sequence[int], mark: int, first: int) -> int:
    """ "The risk that loss exceeds 2 % must be under 1 %": of two figures behind the word, the second is how likely."""
    more = [i for i in figures if i > first]
    bound = any(c.tag in ("above", "below", "over", "reduce") for c in chunks[mark + 1 : first])
    sided = bool(more) and any(c.tag in ("atmost", "below", "less", "above", "more") for c in chunks[first + 1 : more[0]])
    return more[0] if bound and sided else first


def _made_sure(chunks: Sequence[Chunk], i: int) -> bool:
    """ "make sure that", "be certain to": no confidence."""
    before = chunks[i - 1].word if i else ""
    return chunks[i].word in ("sure", "certain") and before in ("make", "making", "made", "makes", "be", "for")


def _beside(i: int, marks: Sequence[int]) -> bool:
    return any(abs(m - i) == 1 for m in marks)


def _blocked(chunks: Sequence[Chunk], i: int, m: int) -> bool:
    return any(c.tag in (QUANTITY, NAME, "apart") for c in chunks[i + 1 : m])
