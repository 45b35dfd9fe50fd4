"""What is carried from clause to clause of one text, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from twm.api.intent.v1 import intent_pb2
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.drafts import Item, Where
from twm.gateway.intents.times import Part


@dataclass(slots=True)
class Context:
    """What was spoken of."""

    slices: list[str] = field(default_factory=list)
    zone: str = ""
    cells: list[str] = field(default_factory=list)
    """What "there" stands for where it was cells; no zone was named after them."""
    links: list[str] = field(default_factory=list)
    """The same, of links."""
    where: Where = field(default_factory=Where)
    kpi: str = ""
    core: str = ""
    side: str = ""
    mentioned: list[str] = field(default_factory=list)
    """Slices that were spoken of before any statement."""
    mentioned_zone: str = ""
    """Where they were, if that was said."""
    heading: Clause | None = None
    above: Clause | None = None
    """The heading of a whole list, under which its items may have their own."""
    parts: list[Part] = field(default_factory=list)
    occasion: int = 0


@dataclass(slots=True)
class Understood:
    """Drafts and questions of a text."""

    items: list[Item] = field(default_factory=list)
    questions: list[intent_pb2.Question] = field(default_factory=list)
    asides: list[intent_pb2.Question] = field(default_factory=list)
    """To be asked where nothing else is said."""
    priority: int = 0
    touched: bool = False
    """The network was spoken of."""
