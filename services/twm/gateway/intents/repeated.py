"""A statement said again for something else: "same for the university", "..., ditto L2", "consumer too"."""

from __future__ import annotations

from dataclasses import replace

from twm.gateway.intents.chunks import NAME
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import figures
from twm.gateway.intents.names import SLICE

_AGAIN = frozenset({"same", "likewise", "ditto", "idem", "similarly", "too", "same for", "as_well"})
_BESIDE = frozenset(
    {"name", "filler", "for", "in", "at", "on", "with", "and", "to", "of", "pronoun", "all", "punct", "zonenoun", "cellnoun"}
    | {"slicenoun", "linknoun", "hold", "window", "as_well", "unknown"}
)
_REPEATED = frozenset({"kpi", "share", "freeze", "change", "surge", "maintenance", "relieve"})
_SHORT = 4


def again(clause: Clause, last: tuple[Clause, str] | None, *, apart: bool) -> tuple[Clause, str] | None:
    """The last statement with the names of this clause; None where the clause says no such thing.

    `apart`: it stands in another sentence. What is added in the same sentence goes into one list elsewhere.
    """
    if last is None or last[1] not in _REPEATED or figures(clause) or not clause.tags <= _BESIDE or NAME not in clause.tags:
        return None
    words = {c.word for c in clause.chunks if c.tag not in (NAME, "window")}
    told = [c for c in clause.chunks if c.tag not in ("punct", "window", "filler") or c.word in _AGAIN]
    if not words & _AGAIN or ("too" in words and len(told) > _SHORT):
        return None
    said, core = last
    kinds = {n.kind for c in clause.chunks if c.tag == NAME for n in c.value}
    if len(kinds) > 1:
        return None
    kind = kinds.pop()
    own = bool(said.names(kind))
    if not apart and own and not (clause.zones or (kind == SLICE and said.opener == ":")):
        return None
    kept = [c for c in said.chunks if c.tag != NAME or (c.value[0].kind == SLICE) != (kind == SLICE)]
    own_windows = [c for c in clause.chunks if c.tag == "window"]
    kept = [c for c in kept if c.tag != "window"] if own_windows else kept
    named = [c for c in clause.chunks if c.tag == NAME]
    return replace(said, chunks=[*kept, *named, *own_windows], opener="and", heading=False), core
