"""What is told of the past, of money, of prices and of how things are, and asks for nothing: "trucks stop when it lags"."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, core_of, dims, figures
from twm.gateway.intents.times import Part
from twm.gateway.intents.units import COUNT

_ORDER_WORDS = """
must shall should please pls keep hold ensure make maintain guarantee limit want need needs don't avoid let lower cut save
reduce trim honour meet respect stay can could
"""
_ORDERS = frozenset(_ORDER_WORDS.split())
_OVER_WORDS = "was were broke paid cost owed"
_OVER = frozenset(_OVER_WORDS.split())
_MONEY_WORDS = """
credit credits penalty penalties refund refunds refunded fine fines fined compensation euros euro dollars pounds grand fortune
invoice
"""
_MONEY = frozenset(_MONEY_WORDS.split())
_PRICED_WORDS = """
expensive cheap cheaper cheapest free dear costly pricey scarce abundant plentiful negative high low peaks dearer short tight
"""
_PRICED = frozenset(_PRICED_WORDS.split())
_STATES = frozenset({"is", "are", "gets", "will", "becomes", "costs", "cost", "stays", "remains", "has", "have"})


def without_background(sentence: Sequence[Clause]) -> list[Clause]:
    """The clauses that may ask for something; what a price is loses its words of cost and keeps its window."""
    kept = [clause if not _priced(clause) else replace(clause, chunks=_plain(clause)) for clause in sentence]
    kept = [clause if not _complained(clause) else replace(clause, chunks=_named(clause)) for clause in kept]
    suffered = until_orders(kept) if suffers(kept) else []
    kept = [replace(clause, chunks=_named(clause)) if clause in suffered else clause for clause in kept]
    kept = [clause if not _reported(clause) else replace(clause, chunks=_named(clause)) for clause in kept]
    told = _threshold_told(kept)
    if told and not kept[told].tags & KPI_TAGS:
        lent = [c for c in kept[told - 1].chunks if c.tag in KPI_TAGS]
        kept[told] = replace(kept[told], chunks=[*lent, *kept[told].chunks])
    kept = kept[told:]
    return [clause for clause in kept if not _over(clause)]


def _threshold_told(sentence: Sequence[Clause]) -> int:
    """ "Anything above 0.01 % loss shows on screen, so ...": how many clauses tell why, and ask for nothing."""
    at = next((i for i, clause in enumerate(sentence) if i and clause.opener in _THEREFORE), 0)
    told, rest = sentence[:at], sentence[at:]
    if not at or not any(figures(clause) for clause in rest) or not told[0].first or any(c.heading for c in told):
        return 0
    first = next((c for c in told[0].chunks if c.tag not in ("filler", "punct")), told[0].chunks[0])
    ordered = any(_words(c) & _ORDERS or c.tags & {"window", "neg", "atmost", "atleast", "expect", "demand"} for c in told)
    passing = any(c.tags & {"above", "over", "more", "below", "less"} for c in told)
    return at if passing and not ordered and first.tag not in _IMPERATIVE and core_of(told[0]) in ("kpi", "figure") else 0


def _words(clause: Clause) -> set[str]:
    return {word for c in clause.chunks for word in c.word.split()} | {c.word for c in clause.chunks}


def _over(clause: Clause) -> bool:
    words = _words(clause)
    asked = words & _ORDERS or clause.tags & {"neg", "demand", "risk", "confidence"} or words & {"none", "may", "if"}
    if asked or clause.heading or clause.opener in ("provided", "without", "provided that"):
        return False
    core = core_of(clause)
    told = words & _MONEY or (words & _OVER and not figures(clause))
    return bool(told) and core in ("sla", "") and "sla" in clause.tags


_PAST_WORDS = """
was were saw seen had went ran fell rose reached hit climbed peaked averaged suffered stood got broke came showed crept sank
soared dipped collapsed plunged jumped shot
"""
_PAST = frozenset(_PAST_WORDS.split())
_ALSO_PARTICIPLE = frozenset({"dropped", "lost", "exceeded", "measured", "reported", "experienced", "recorded", "observed"})
"""Past tense or participle: "we lost 5 %", but "no more than 5 % lost"."""
_TO_BE = frozenset({"better", "be", "promised", "guaranteed", "told", "asked", "agreed", "supposed", "meant"})
_WORK = frozenset({"capacity", "maint", "down", "fail", "demand", "risk", "confidence", "save", "perstep"})
_NOWADAYS = frozenset({"currently", "presently", "at the moment", "for the moment"})
_BOUNDING = frozenset({"atmost", "atleast", "cap", "pin", "orbetter", "neg", "allow", "below", "above"})


def _reported(clause: Clause) -> bool:
    """ "eMBB dropped to 30 Mbps last night", "it was at 95 % on Monday": a figure of what has been, and no bound."""
    words, core = _words(clause), core_of(clause)
    if not figures(clause) or words & _ORDERS or clause.tags & {"if", "cond"} or clause.heading:
        return False
    if not clause.tags & _BOUNDING and PAST_WINDOW in clause.windows():
        return core in ("kpi", "share", "figure", "save")
    bounded = clause.tags & {"atmost", "atleast", "cap", "pin", "orbetter", "neg"}
    if core not in ("kpi", "share", "figure") or bounded or clause.tags & _WORK:
        return False
    if _NOWADAYS & {c.word for c in clause.chunks} and words & _STATES and not clause.tags & _BOUNDING:
        return True
    told = _PAST | _ALSO_PARTICIPLE
    at = next((i for i, c in enumerate(clause.chunks) if c.word in told or _used_to(clause.chunks, i)), -1)
    if at <= 0 or all(c.tag == "punct" for c in clause.chunks[:at]):
        return False
    after = clause.chunks[at + 1].word if at + 1 < len(clause.chunks) else ""
    over = clause.chunks[at].word in ("was", "were") and not clause.tags & _BOUNDING
    owed = after == "to" and clause.chunks[at].word in ("was", "were", "had")
    if after in _TO_BE or owed or (at > figures(clause)[0] and not over):
        return False
    return clause.chunks[at].word in _PAST or _used_to(clause.chunks, at) or not clause.tags & _BOUNDING


def _used_to(chunks: Sequence[Chunk], i: int) -> bool:
    """ "We used to have 40 Mbps"; not "it is used to 80 %"."""
    behind = chunks[i + 1 : i + 3]
    led = i > 0 and chunks[i - 1].word not in ("is", "are", "be", "being")
    return chunks[i].word == "used" and led and len(behind) == 2 and behind[0].tag == "to" and behind[1].tag != "quantity"


def _named(clause: Clause) -> list[Chunk]:
    """What it spoke of, without what it said."""
    return [c if c.tag in (NAME, "punct") else replace(c, tag="filler", value=None) for c in clause.chunks]


_COMPLAINING_WORDS = """
complain complains complained complaining complaint complaints grumble grumbles grumbling moan moans moaning unhappy angry upset
annoyed furious dissatisfied disappointed tired fed suffer suffers suffering struggle struggles struggling hate hates
"""
_COMPLAINING = frozenset(_COMPLAINING_WORDS.split())


def _complained(clause: Clause) -> bool:
    """ "Gold customers complain about lag": told, and no bound is asked for."""
    words = _words(clause)
    return bool(words & _COMPLAINING) and not words & _ORDERS and not figures(clause) and core_of(clause) == "kpi_open"


_SUFFERED_WORDS = """
crash crashes stop stops fail fails freeze freezes complain complains suffer suffers break breaks stall stalls shout shouts ring
rings panic panics stutter stutters halt halts
"""
_SUFFERED = frozenset(_SUFFERED_WORDS.split())


def until_orders(sentence: Sequence[Clause]) -> list[Clause]:
    """What stands before "so", "therefore": all, where neither does."""
    return list(itertools.takewhile(lambda c: c is sentence[0] or c.opener not in _THEREFORE, sentence))


def suffers(sentence: Sequence[Clause]) -> bool:
    """ "Drones crash when delay goes past 30 ms": who suffers, and from what; a bound may come after it."""
    head = until_orders(sentence)
    if not head or not head[0].first or any(_words(c) & _ORDERS for c in head):
        return False
    chunks = [c for c in head[0].chunks if c.tag != "punct"]
    before = list(itertools.takewhile(lambda c: c.tag != "cond", chunks)) if not head[0].condition else []
    hangs = len(before) < len(chunks) or any(c.condition for c in head[1:])
    verb = next((i for i, c in enumerate(before) if c.word in _SUFFERED), 0)
    return hangs and verb > 0 and before[0].tag not in _IMPERATIVE


def _priced(clause: Clause) -> bool:
    words = _words(clause)
    if words & (_ORDERS | {"much"}) or "save" in clause.tags or figures(clause):
        return False
    return core_of(clause) == "save" and bool(words & _PRICED) and bool(words & _STATES)


def _plain(clause: Clause) -> list[Chunk]:
    chunks = [c for c in clause.chunks if not (c.tag == "window" and c.value.problem)]
    return [replace(c, tag="filler") if c.tag in ("cost", "low", "high", "reduce") else c for c in chunks]


_IMPERATIVE = frozenset(
    {"action", "hold", "reserve", "cap", "pin", "prio", "deprio", "relieve", "reduce", "raise", "save", "change", "expect"}
)
_POINTING = frozenset({"it", "that", "this", "these", "those", "only", "then", "but", "not"})
_THEREFORE = frozenset({"so", "therefore", "hence", "thus", "consequently"})
_REASON = frozenset({"because"})
_ARTICLES = frozenset({"the", "our", "their", "his", "her", "my", "your", "all", "every"})


def orders_of(sentence: Sequence[Clause]) -> list[Clause]:
    """The clauses that a condition may hang on: without reasons, and without what is told of how things are.

    "Cranes stop when V2X is late, so ...", "... because nothing loads when the hotel is full".
    """
    at = next((i for i, clause in enumerate(sentence) if i and clause.opener in _THEREFORE), len(sentence))
    head, rest = list(sentence[:at]), list(sentence[at:])
    if _way_of_things(head) or suffers(sentence):
        head = []
    reason = next((i for i, clause in enumerate(head) if clause.opener in _REASON), len(head))
    if _plain_talk(head[reason:]):
        head = head[:reason]
    return [*head, *rest]


def _way_of_things(clauses: Sequence[Clause]) -> bool:
    """ "Trucks stop if haulage lags": a subject, what it does, and when; no order, and nothing that points to one."""
    if not clauses or not clauses[0].first or not _plain_talk(clauses):
        return False
    chunks = [c for c in clauses[0].chunks if c.tag != "punct"]
    before = list(itertools.takewhile(lambda c: c.tag != "cond", chunks)) if not clauses[0].condition else []
    if not before or before[0].tag in _IMPERATIVE or _POINTING & {word for c in before for word in c.word.split()}:
        return False
    return before[0].tag == NAME or before[0].word in _ARTICLES or not any(c.tag == NAME for c in before)


def _plain_talk(clauses: Sequence[Clause]) -> bool:
    """Whether neither a figure nor a statement nor an order is in it."""
    stated = any(dims(c, figures(c)) - {COUNT} or core_of(c) not in ("", "kpi_open") for c in clauses)
    return not stated and not any(_words(c) & _ORDERS for c in clauses)


_COMPARED_TO = frozenset({"than", "as", "like"})
_FILED_WORDS = """
opened dated signed sent raised filed received reported issued discussed promised requested mentioned ordered written wrote
logged agreed submitted approved confirmed complained rang called
"""
_FILED = frozenset(_FILED_WORDS.split())
PAST_WINDOW = Part(problem="window_past")


def past_days(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "Last Friday", "last night", "last week" as windows that are over; "as last week" fixes none."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        chunk, after = chunks[i], chunks[i + 1] if i + 1 < len(chunks) else None
        if chunk.tag == "window" and chunk.value.day is not None and _since(out):
            chunk = replace(chunk, tag="filler", value=None)  # "since the storm on Monday"
        of = i + 2 < len(chunks) and chunks[i + 2].tag in ("of", "in") and chunk.word == "last" and chunks[i - 1 : i] != []
        day = after is not None and after.tag == "window" and (after.value.day is not None or after.value.problem)
        if chunk.word != "last" or after is None or not day or (of and chunks[i - 1].word == "the"):
            out.append(chunk)
            i += 1
            continue
        compared = bool(out) and out[-1].word.split()[-1:] and out[-1].word.split()[-1] in _COMPARED_TO
        out.append(Chunk("window", chunk.start, after.end, Part(problem="ambiguous_window") if compared else PAST_WINDOW))
        i += 2
    return out


_COMING_WORDS = "come comes coming arrive arrives visit visits is are will have has expect play plays start starts open opens"
_COMING = frozenset(_COMING_WORDS.split())
"""Between "since" and a day: a reason that is to come, and nothing that began."""


def _since(before: Sequence[Chunk]) -> bool:
    """Whether "since" stands a few words before, and nothing between that ends what it says."""
    near = list(itertools.takewhile(lambda c: c.tag not in ("punct", "window", NAME), reversed(before[-5:])))
    return any(c.word == "since" for c in near) and not any(c.word in _COMING for c in near)


def only_told(clause: Clause) -> bool:
    """Whether the past day of a clause without a statement is told and bounds nothing: "after what happened last Friday"."""
    windows = clause.windows()
    if not windows or clause.chunks[0].tag in ("for", "on", "during", "from"):
        return False
    clocked = any(p.start is not None or p.end is not None for p in windows)
    if any(p.problem == "unsupported_recurrence" for p in windows) and {"is", "are", "was", "were"} & _words(clause):
        return True  # "mondays are dead anyway"
    return not clocked and (PAST_WINDOW in windows or bool(_FILED & _words(clause)))
