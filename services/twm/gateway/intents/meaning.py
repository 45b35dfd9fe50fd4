"""Clauses to drafts, in order, with what was spoken of before at hand ("there", "it", "and 15 % for V2X")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents import statements, statements_kpi
from twm.gateway.intents.chunks import FUZZY, UNKNOWN, UNKNOWN_NAME, Chunk
from twm.gateway.intents.clauses import Clause, risk_of, sentences
from twm.gateway.intents.cores import KPI_TAGS, core_of, dims, figures
from twm.gateway.intents.drafts import Draft, EventDraft, Item, MaintenanceDraft, ObjectiveDraft, SurgeDraft, Where
from twm.gateway.intents.names import CELL, LINK, SLICE, ZONE, NameIndex
from twm.gateway.intents.questions import question, quoted
from twm.gateway.intents.times import Part, combine

_CARRIED = frozenset(
    {
        "name",
        "window",
        "risk",
        "confidence",
        "all",
        "there",
        "fuzzy",
        "unknown_name",
        "urgent",
        "highprio",
        "lowprio",
        "lowestprio",
    }
)
_BEFORE_ACTION = frozenset(
    {"filler", "then", "and", "but", "now", "first", "second", "third", "neg", "punct", "pronoun", "unknown", "with"}
)
_PLACING = frozenset({"in", "at", "on", "of"})
_NEARBY = frozenset({"around", "near", "nearby", "across", "along", "through", "inside", "outside", "over", "to"})


@dataclass(slots=True)
class Context:
    """What was spoken of."""

    slices: list[str] = field(default_factory=list)
    zone: str = ""
    where: Where = field(default_factory=Where)
    kpi: str = ""
    core: str = ""
    side: str = ""
    heading: Clause | None = None
    parts: list[Part] = field(default_factory=list)
    occasion: int = 0


@dataclass(slots=True)
class Understood:
    """Drafts and questions of a text."""

    items: list[Item] = field(default_factory=list)
    questions: list[intent_pb2.Question] = field(default_factory=list)
    priority: int = 0
    touched: bool = False
    """The network was spoken of."""


class Reader:
    """Reads the clauses of one text."""

    def __init__(self, spec: NetworkSpec, names: NameIndex) -> None:
        self.spec = spec
        self.names = names
        self.context = Context()
        self.out = Understood()

    def read(self, clauses: Sequence[Clause]) -> Understood:
        """Drafts and questions."""
        for sentence in sentences(clauses):
            self._sentence(sentence)
        return self.out

    def ask(self, code: str, field_name: str, text: str, choices: Sequence[str] = ()) -> None:
        """Note a question."""
        self.out.questions.append(question(code, field_name, text, choices))

    # --- sentences -----------------------------------------------------------------------------------------------------

    def _sentence(self, sentence: list[Clause]) -> None:
        if sentence[0].opener != ";":
            self.context.heading = None
        for clause in sentence:
            self._notice(clause)
        merged = self._merge(sentence)
        head = _head_parts(sentence)
        before = len(self.out.items)
        starts: list[tuple[Clause, int, int]] = []
        for clause, core in merged:
            start = len(self.out.items)
            self._statement(clause, core)
            starts.append((clause, start, len(self.out.items)))
        self._windows(starts, head)
        made = self.out.items[before:]
        for item in made:
            if isinstance(item, SurgeDraft):
                self.context.occasion = intent_pb2.OCCASION_SURGE
            elif isinstance(item, MaintenanceDraft):
                self.context.occasion = intent_pb2.OCCASION_MAINTENANCE

    def _merge(self, sentence: list[Clause]) -> list[tuple[Clause, str]]:
        """Statements of a sentence: what has no core of its own goes to a neighbour."""
        out: list[tuple[Clause, str]] = []
        waiting: list[Chunk] = []
        for clause in sentence:
            core = core_of(clause)
            if clause.heading and not core:
                self.context.heading = clause
                continue
            if clause.heading and core in ("kpi_open", "share_open", "maintenance", "rank") and not figures(clause):
                self.context.heading = clause
                continue
            if not core:
                if self._action(clause) or self._leftover(clause):
                    continue
                if out and _comparator_only(clause):
                    waiting_for = out[-1][0]
                    out[-1] = (replace(waiting_for, chunks=[*waiting_for.chunks, *clause.chunks]), out[-1][1])
                    continue
                kept = [c for c in clause.chunks if c.tag in _CARRIED or (c.tag == "quantity" and risk_of(clause))]
                if out and not waiting:
                    last, last_core = out[-1]
                    out[-1] = (replace(last, chunks=[*last.chunks, *kept]), last_core)
                else:
                    waiting += kept if not _bare_kpi(clause) else [c for c in clause.chunks if c.tag in _CARRIED | KPI_TAGS]
                continue
            if (
                core in ("figure", "kpi", "share")
                and out
                and out[-1][1] in ("kpi_open", "share_open", "surge_open")
                and self._completes(out[-1], clause)
            ):
                last, last_core = out.pop()
                joined = replace(last, chunks=[*last.chunks, *clause.chunks])
                out.append((joined, core_of(joined) or core))
                continue
            whole = replace(clause, chunks=[*waiting, *clause.chunks]) if waiting else clause
            out.append((whole, core_of(whole) or core))
            waiting = []
        if waiting and out:
            last, last_core = out[-1]
            out[-1] = (replace(last, chunks=[*last.chunks, *waiting]), last_core)
        elif waiting and any(c.tag == "window" for c in waiting) and self.out.items and sentence[0].opener == ";":
            self.out.items[-1].parts += [c.value for c in waiting if c.tag == "window"]
        return out

    def _completes(self, last: tuple[Clause, str], clause: Clause) -> bool:
        kinds = dims(clause, figures(clause))
        return not clause.slices and not (clause.tags & KPI_TAGS) and bool(kinds)

    def _notice(self, clause: Clause) -> None:
        """What counts wherever it stands: names that are none, urgency, events."""
        tags = clause.tags
        if tags & (
            KPI_TAGS
            | {
                "name",
                "demand",
                "share",
                "prb",
                "slicenoun",
                "cellnoun",
                "zonenoun",
                "linknoun",
                "sla",
                "slicetype",
                "maint",
                "place",
            }
        ):
            self.out.touched = True
        for chunk in clause.chunks:
            if chunk.tag == FUZZY:
                text, near = chunk.value
                kind = near[0].kind
                choices = list(dict.fromkeys(n.id for n in near))
                self.ask(
                    "fuzzy_name",
                    _field(kind),
                    f"{quoted(text)} is no name of this network. Is {' or '.join(choices[:3])} meant?",
                    choices,
                )
            elif chunk.tag == UNKNOWN_NAME:
                kind, text, candidates = chunk.value
                if candidates:
                    self.ask(
                        "ambiguous_name",
                        _field(kind),
                        f"{kind} {quoted(text)} fits {', '.join(candidates)}. Which is meant?",
                        candidates,
                    )
                else:
                    self._unknown(kind, text)
            elif chunk.tag == "name" and len({n.kind for n in chunk.value}) > 1:
                kinds = [n.kind for n in chunk.value]
                self.ask(
                    "ambiguous_name", "", f"{quoted(chunk.value[0].id)} is a {' and a '.join(kinds)}. Which is meant?", kinds
                )
            elif chunk.tag == "jitter":
                self.ask(
                    "unsupported_kpi",
                    "constraints.kpi",
                    f"{quoted(chunk.word)} is not predicted here. Which of these may stand for it?",
                    ("p99 delay", "mean delay", "loss", "throughput", "utilisation"),
                )
            elif chunk.tag == "median" or (chunk.tag == "percentile" and chunk.value not in (None, "99", "99.0")):
                self.ask(
                    "unsupported_kpi",
                    "constraints.kpi",
                    "Of the delay, only the 99th percentile and the mean are predicted. Which is meant?",
                    ("p99 delay", "mean delay"),
                )
        if "urgent" in tags and self.out.priority in (0, 2):
            self.out.priority = 1
        elif not clause.slices and not self.out.priority:
            self.out.priority = (
                2
                if "highprio" in tags
                else 4
                if "lowprio" in tags
                else 5
                if "lowestprio" in tags
                else _numbered_priority(clause)
            )
        for i, chunk in enumerate(clause.chunks):
            if chunk.tag == "event" and chunk.word not in ("event", "events"):
                before = clause.chunks[i - 1] if i else None
                words = f"{before.word} {chunk.word}" if before is not None and before.tag == UNKNOWN else chunk.word
                self.out.items.append(EventDraft(clause=chunk.start, name=words))

    def _unknown(self, kind: str, text: str) -> None:
        choices = self.names.nearest(kind, text, 6)
        has = (
            f"It has {', '.join(choices)}" + (" and more" if len(self.names.ids[kind]) > len(choices) else "")
            if choices
            else f"It has no {kind}s"
        )
        code = {SLICE: "unknown_slice", ZONE: "unknown_zone", CELL: "unknown_cell", LINK: "unknown_link"}[kind]
        self.ask(code, _field(kind), f"No {kind} {quoted(text)} in this network. {has}. Which is meant?", choices)

    def _action(self, clause: Clause) -> bool:
        """Whether it asks for something this system does not do; then that is a question."""
        for chunk in clause.chunks:
            if chunk.tag == "action":
                self.ask(
                    "unsupported_action",
                    "",
                    f"{quoted(chunk.word)} is nothing that can be asked for here. "
                    "An intent bounds KPIs, limits shares, sets priorities or savings, or announces surges and maintenance. "
                    "What is the goal?",
                )
                return True
            if chunk.tag not in _BEFORE_ACTION:
                return False
        return False

    def _leftover(self, clause: Clause) -> bool:
        """A figure that belongs to nothing."""
        found = [
            i
            for i in figures(clause)
            if clause.chunks[i].tag == "range" or clause.chunks[i].value.dim not in ("count", "fraction")
        ]
        found = [
            i for i in found if clause.chunks[i].tag == "range" or clause.chunks[i].value.dim not in ("duration", "seconds")
        ]
        if found:
            self.ask("not_understood", "", "A figure was named, but not what it bounds. What is meant by it?")
        return bool(found)

    # --- statements ----------------------------------------------------------------------------------------------------

    def _statement(self, clause: Clause, core: str) -> None:
        self._places(clause, core)
        if core == "figure":
            core = self._continued(clause)
        elif core == "share" and self._of_kpi(clause):
            core = "kpi"
        makers = {
            "kpi": statements_kpi.kpi,
            "share": statements.share,
            "surge": statements.surge,
            "maintenance": statements.maintenance,
            "freeze": statements.freeze,
            "change": statements.change,
            "rank": statements.rank,
            "save": statements.save,
            "anycost": statements.anycost,
            "sla": statements.sla,
            "relieve": statements.relieve,
            "overload": statements.relieve,
            "surge_open": statements.surge_open,
            "kpi_open": statements_kpi.kpi_open,
            "share_open": statements.share_open,
        }
        maker = makers.get(core)
        if maker is None:
            self.ask("not_understood", "", "A figure was named, but not what it bounds. What is meant by it?")
            return
        maker(self, clause)
        self.context.core = core
        if clause.slices:
            self.context.slices = clause.slices
        if clause.zones:
            self.context.zone = clause.zones[-1]

    def _continued(self, clause: Clause) -> str:
        """A bare figure goes on with the statement before."""
        kinds = dims(clause, figures(clause))
        core, heading = self.context.core, self.context.heading
        if core == "save" and kinds & {"ratio", "fraction"} and clause.tags & {"reduce", "down", "pronoun"}:
            return "save"
        if core == "surge" and kinds & {"ratio", "factor", "fraction"}:
            return "surge"
        if heading is not None and heading.tags & KPI_TAGS:
            return "kpi"
        if core == "kpi" and self.context.kpi in ("loss_ratio", "utilisation_ratio") and kinds & {"ratio", "fraction"}:
            return "kpi"
        if kinds & {"delay", "rate"}:
            return "kpi"
        if heading is not None and heading.slices and kinds & {"ratio", "fraction"}:
            return "share"
        return "share" if kinds & {"ratio", "fraction", "prb"} else ""

    def _of_kpi(self, clause: Clause) -> bool:
        """Whether a ratio goes on with the KPI of before: "loss 1 % for URLLC and 5 % for eMBB"."""
        if clause.tags & {"share", "prb", "resource", "bandwidth", "reserve", "cap", "pin"}:
            return False
        if self.context.heading is not None and self.context.heading.tags & KPI_TAGS:
            return True
        bare = not clause.tags & {"atleast", "atmost", "neg", "above"} and clause.opener in ("and", ",", "but", "or")
        return bare and self.context.core == "kpi" and self.context.kpi in ("loss_ratio", "utilisation_ratio")

    def where(self, clause: Clause, *, ellipsis: bool = True) -> Where:
        """Scope of a clause: its own names, else what "there", "it" or a heading stands for."""
        context, heading = self.context, self.context.heading
        tags = clause.tags
        zone = clause.zones[0] if clause.zones else ""
        if not zone and ("there" in tags or ("pronoun" in tags and "zonenoun" in tags)):
            zone = context.zone
        found = Where(clause.slices, zone, clause.cells, clause.links)
        if heading is not None:
            found.slices = found.slices or heading.slices
            if not found.zone and not found.cells and not found.links:
                found.zone = heading.zones[0] if heading.zones else ""
                found.cells, found.links = heading.cells, heading.links
        found.all_slices = _all(clause.chunks, "slicenoun")
        if not found.slices and not found.all_slices and ellipsis:
            found.slices = list(context.slices)
        if _all(clause.chunks, "linknoun") or (
            "transport" in tags and not found.links and "linknoun" in tags and _plural_links(clause.chunks)
        ):
            found.links = list(self.names.ids[LINK])
        return found

    def zones(self, clause: Clause, where: Where) -> list[Where]:
        """One scope for each zone."""
        zones = clause.zones
        if not zones and not clause.cells and not clause.links and self.context.heading is not None:
            zones = self.context.heading.zones
        return [where.copy(zone) for zone in zones] if len(zones) > 1 else [where]

    def add(self, item: Item, clause: Clause) -> None:
        """Keep a draft."""
        item.parts = clause.windows()
        self.out.items.append(item)

    def objective(self, clause: Clause) -> ObjectiveDraft:
        """A new objective draft."""
        draft = ObjectiveDraft(clause=clause.chunks[0].start)
        self.add(draft, clause)
        return draft

    def _places(self, clause: Clause, core: str) -> None:
        """Slices, zones and places that are named but not in the network."""
        chunks = clause.chunks
        for i, chunk in enumerate(chunks):
            if (
                chunk.tag == "slicetype"
                or (chunk.tag == UNKNOWN and i + 1 < len(chunks) and chunks[i + 1].tag == "slicenoun")
                or (
                    chunk.tag == UNKNOWN
                    and core == "rank"
                    and (i == 0 or chunks[i - 1].tag in ("prio", "over", "before"))
                    and len(clause.slices) < 2
                )
            ):
                self._unknown(SLICE, chunk.word)
            elif chunk.tag in ("place", UNKNOWN, "filler"):
                placed = self._placed(chunks, i)
                ending = self.names.ending(chunk.word) if placed else None
                if ending is not None:
                    chunks[i] = Chunk("name", chunk.start, chunk.end, (ending,), chunk.word)
                elif chunk.tag == "place" and (placed or core in ("surge", "surge_open")) and not clause.zones:
                    self._unknown(ZONE, chunk.word)
                elif chunk.tag == UNKNOWN and placed and not clause.zones and core not in ("save", "sla"):
                    follows = chunks[i + 1].tag if i + 1 < len(chunks) else ""
                    if follows not in ("name", "unknown", "share", "demand"):
                        self._unknown(ZONE, chunk.word)

    def _placed(self, chunks: Sequence[Chunk], i: int) -> bool:
        """Whether it stands as a place: "in the", "at", "near the"."""
        j = i - 1
        while (
            j >= 0
            and i - j <= 3
            and (chunks[j].word in ("the", "our", "a", "this", "old", "new", "zone", "area", "big") or chunks[j].tag == UNKNOWN)
        ):
            j -= 1
        return j >= 0 and (
            chunks[j].tag in ("in", "at")
            or (chunks[j].tag == "on" and j < i - 1)
            or chunks[j].word in _NEARBY - {"to", "over", "through"}
        )

    # --- windows -------------------------------------------------------------------------------------------------------

    def _windows(self, starts: Sequence[tuple[Clause, int, int]], head: list[Part]) -> None:
        """Give the drafts of a sentence their windows: head of the sentence for all, tail for all where there is no other."""
        heading = self.context.heading.windows() if self.context.heading is not None else []
        own = [(clause, clause.windows()) for clause, _, _ in starts]
        tail: list[Part] = []
        with_parts = [parts for _, parts in own if parts]
        if len(starts) > 1 and len(with_parts) == 1 and own[-1][1] and _ends_in_window(own[-1][0]):
            tail = own[-1][1]
        maintained = [
            c for c, a, b in starts if any(isinstance(i, MaintenanceDraft) for i in self.out.items[a:b]) and c.opener == "while"
        ]
        for clause, start, end in starts:
            for item in self.out.items[start:end]:
                parts = item.parts
                if any(p.back for p in parts):
                    parts = [p for p in parts if not p.back] or self._back(parts)
                elif not parts:
                    parts = head or tail or heading
                    if maintained and clause not in maintained and not parts:
                        parts = [Part(occasion=intent_pb2.OCCASION_MAINTENANCE)]
                elif head and parts != head and not any(p in head for p in parts):
                    parts = parts if _complete(parts) else [*head, *parts]
                item.parts = self._event_times(parts, item)
                if item.parts:
                    self.context.parts = item.parts

    def _back(self, parts: Sequence[Part]) -> list[Part]:
        if any(p.back == "time" for p in parts):
            return self.context.parts
        occasion = self.context.occasion
        return [Part(occasion=occasion)] if occasion else self.context.parts

    def _event_times(self, parts: Sequence[Part], item: Draft) -> list[Part]:
        """With times of its own, an event's name is no second condition."""
        total = combine(parts)
        if total is not None and total.occasion == intent_pb2.OCCASION_EVENT and (total.start or total.end or total.day):
            return [replace(p, occasion=0) for p in parts]
        return list(parts)


def _head_parts(sentence: Sequence[Clause]) -> list[Part]:
    """Window parts before anything else is said."""
    parts: list[Part] = []
    for clause in sentence:
        for chunk in clause.chunks:
            if chunk.tag == "window":
                parts.append(chunk.value)
            elif chunk.tag not in ("filler", "punct", "on", "from", "and", "in", "pronoun"):
                bare = not core_of(clause) and not clause.heading
                if (
                    bare
                    and clause.windows()
                    and not parts
                    and len(sentence) > 1
                    and clause is sentence[0]
                    and clause.opener != "("
                ):
                    return [p for p in clause.windows() if not p.back]
                return [] if any(p.back for p in parts) else parts
    return []


def _ends_in_window(clause: Clause) -> bool:
    for chunk in reversed(clause.chunks):
        if chunk.tag == "window":
            return True
        if chunk.tag not in ("filler", "punct", "unknown", "pronoun", "there"):
            return False
    return False


def _complete(parts: Sequence[Part]) -> bool:
    """Whether the parts fix a window without a day from elsewhere."""
    total = combine(parts)
    return total is None or total.day is not None or total.duration_s is None or total.start is not None


def _open(core: str) -> bool:
    return core.endswith("_open")


def _comparator_only(clause: Clause) -> bool:
    """ "..., minimum", "..., no less"."""
    tags = {c.tag for c in clause.chunks if c.tag not in ("filler", "punct", "pronoun")}
    return bool(tags & {"atleast", "atmost", "orbetter"}) and tags <= {"atleast", "atmost", "orbetter", "of", "all", "on", "at"}


def _bare_kpi(clause: Clause) -> bool:
    return bool(clause.tags & KPI_TAGS)


def _all(chunks: Sequence[Chunk], noun: str) -> bool:
    """ "all slices", "every link", "none of the links", "each of the slices"."""
    for i, chunk in enumerate(chunks):
        if chunk.tag == noun:
            before = [c for c in chunks[max(i - 4, 0) : i] if c.tag not in ("filler", "of")]
            if (
                before
                and (before[-1].tag == "all" or before[-1].word in ("none", "no", "both", "transport"))
                and (noun != "linknoun" or chunk.word.startswith("link"))
            ):
                return True
            if noun == "linknoun" and before and before[-1].word == "transport":
                return True
    return False


def _plural_links(chunks: Sequence[Chunk]) -> bool:
    return any(c.tag == "linknoun" and c.word == "links" for c in chunks)


def _numbered_priority(clause: Clause) -> int:
    for i, chunk in enumerate(clause.chunks[:-1]):
        nxt = clause.chunks[i + 1]
        if (
            chunk.word == "priority"
            and nxt.tag == "quantity"
            and nxt.value.dim == "count"
            and nxt.value.value in (1, 2, 3, 4, 5)
        ):
            return int(nxt.value.value)
    return 0


def _field(kind: str) -> str:
    return {SLICE: "scope.slices", ZONE: "scope.zone", CELL: "scope.cells", LINK: "scope.links"}.get(kind, "scope")
