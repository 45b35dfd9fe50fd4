"""Clauses to drafts, in order, with what was spoken of before at hand ("there", "it", "and 15 % for V2X")."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents import statements, statements_kpi, statements_maintenance, statements_objective
from twm.gateway.intents.background import only_told, without_background
from twm.gateway.intents.bounds import risk_of
from twm.gateway.intents.chunks import Chunk
from twm.gateway.intents.clauses import Clause, sentences
from twm.gateway.intents.context import Context, Understood
from twm.gateway.intents.continued import (
    DOUBTFUL,
    bare_count,
    bare_kpi,
    comparator_only,
    in_order,
    other_work,
    settled,
    what_is_left,
)
from twm.gateway.intents.cores import KPI_TAGS, core_of, counted_too, dims, figures
from twm.gateway.intents.drafts import ConstraintDraft, EventDraft, Item, MaintenanceDraft, ObjectiveDraft, SurgeDraft, Where
from twm.gateway.intents.growth import MULTIPLES
from twm.gateway.intents.headings import bare_figure, labelled, of_heading, remainder, resource_only, side_told
from twm.gateway.intents.lines import ITEM
from twm.gateway.intents.moods import beyond_scope, hangs_on_question, no_goal
from twm.gateway.intents.names import SLICE, Name, NameIndex
from twm.gateway.intents.notices import action, leftover, notice, unknown
from twm.gateway.intents.places import where_of, zones_of
from twm.gateway.intents.questions import question
from twm.gateway.intents.referents import both, referred
from twm.gateway.intents.repeated import again
from twm.gateway.intents.said_apart import (
    begins_with_window,
    give_place,
    give_to_those_before,
    left_of_last,
    of_all,
    strange_place_of_those_before,
    told_of_a_place,
    window_of_those_before,
    without_others,
    without_reasons,
)
from twm.gateway.intents.sentence_windows import carried_day, give_windows, head_parts, take_day, windows_told
from twm.gateway.intents.shared import (
    Trail,
    last_place,
    late_risk,
    lead_place,
    lead_resource,
    lend_subject,
    parallel_places,
    same_surge,
    same_work,
    share_places,
    share_resources,
    share_risk,
    without_defaults,
)
from twm.gateway.intents.strangers import places, strange_heading, strange_zone, stray_partner, stray_place
from twm.gateway.intents.times import Part
from twm.gateway.intents.topics import is_occasion, is_topic, of_topic, risks_joined, spoken_to, topic_of

_CARRIED = frozenset(
    {
        "slicenoun",
        "name",
        "window",
        "risk",
        "confidence",
        "all",
        "there",
        "fuzzy",
        "unknown_name",
        "between",
        "anycost",
        "urgent",
        "highprio",
        "lowprio",
        "lowestprio",
    }
)


_FLOORS = frozenset({"floor", "minimum", "least"})
_CEILINGS = frozenset({"ceiling", "maximum", "cap"})
_HEADED = frozenset({"sla", "kpi_open", "share_open", "maintenance", "rank", "surge_open"})
"""What a heading may be about: the statements come after it."""


class Reader:
    """Reads the clauses of one text."""

    def __init__(self, spec: NetworkSpec, names: NameIndex, today: dt.date) -> None:
        self.spec = spec
        self.names = names
        self.context = Context()
        self.out = Understood()
        self._trail: Trail = []
        self._unstated: list[Clause] = []
        """The sentence before, where it holds no statement."""
        self._lead: list[Part] = []
        self._told: list[Part] = []
        """The times of an occasion that the text begins with."""
        self._last: tuple[Clause, str] | None = None
        """The statement before."""
        self._named: list[Name] = []
        """What was named so far."""
        self._spoken: tuple[Name, ...] = ()
        self._mentioned: tuple[Name, ...] = ()
        """What was spoken of last, with this sentence and without it."""
        self.names_links = False
        """Whether any clause of the text names a link."""
        self._today = today
        self._topic: list[Chunk] = []
        self._topics: list[list[Clause]] = []

    def read(self, clauses: Sequence[Clause]) -> Understood:
        """Drafts and questions."""
        self.names_links = any(clause.links for clause in clauses)
        for sentence in sentences(clauses):
            self._sentence(sentence)
        for topic in self._topics:
            if topic[0].slices and not spoken_to(topic, self.out.items) and not self.out.questions:
                statements_kpi.kpi_open(self, topic[0])
        if all(isinstance(item, EventDraft) for item in self.out.items):
            self.out.questions += self.out.asides
        without_defaults(self.out.items)
        return self.out

    def ask(self, code: str, field_name: str, text: str, choices: Sequence[str] = ()) -> None:
        """Note a question."""
        self.out.questions.append(question(code, field_name, text, choices))

    # --- sentences -----------------------------------------------------------------------------------------------------

    def _sentence(self, sentence: list[Clause]) -> None:
        self._open(sentence[0].opener)
        if hangs_on_question(sentence):
            self.out.questions, self.out.asides = [*self.out.questions, *self.out.asides], []
        if no_goal(self, sentence):
            self.context.mentioned = [x for clause in sentence for x in clause.slices] or self.context.mentioned
            self._spoken_of(sentence)
            return
        self._mentioned = self._spoken
        sentence, self._spoken = referred(without_background(sentence), self._spoken, self._worked())
        if not sentence:
            self.out.touched, self._unstated = True, []
            return
        sentence = [both(clause, self._named, self.ask) for clause in sentence]
        for clause in sentence:
            notice(self, clause)
            beyond_scope(self, clause)
        if is_topic(sentence):
            self._topic, self.context.mentioned = topic_of(sentence), sentence[0].slices or self.context.mentioned
            self._topics.append(sentence)
            self.out.touched = True
            self._spoken_of(sentence)
            return
        if any(c.tags & KPI_TAGS for c in sentence):
            self._topic = []
        merged = lend_subject(self._merge(sentence))
        self._last = merged[-1] if merged else self._last
        if sentence[-1].heading and not merged and sentence[0].opener != ITEM:
            self.context.above = self.context.heading
        head = head_parts(sentence)
        if sentence[0].opener == ";" and not any(clause.windows() for clause in sentence):
            head = self._lead
        goes_on = sentence[0].opener == ";" and not any(clause.windows() for clause in sentence)
        self._lead = head if goes_on or begins_with_window(sentence) else []
        before = len(self.out.items)
        starts: list[tuple[Clause, int, int]] = []
        for clause, core in merged:
            start = len(self.out.items)
            self._statement(clause, core)
            starts.append((clause, start, len(self.out.items)))
        self._trail += [(clause, self.out.items[a:b]) for clause, a, b in starts]
        share_places(self._trail)
        parallel_places(self._trail)
        new = self._trail[-len(starts) :] if starts else []
        lead_place(sentence, new)
        lead_resource(sentence, new)
        share_resources(self._trail)
        share_risk(self._trail)
        give_windows(self.context, self.out.items, starts, head)
        day = carried_day(self._unstated, sentence[0].opener) if self._unstated else []
        day = day or self._told
        take_day(self.out.items[before:], day, self._today, event=any("event" in c.tags for c in self._unstated))
        if day and len(self.out.items) > before and self.out.items[-1].parts:
            self.context.parts = self.out.items[-1].parts
        for said in (*same_surge(new), *same_work(self.out.items)):
            self.out.items.remove(said)
        if not starts:
            self._spoken_of(sentence)
        self._unstated = [] if starts else sentence
        if sentence[0].opener == "" and not starts:
            self._told = carried_day(sentence, "") if is_occasion(sentence) else []
        if not starts:
            give_to_those_before(self.out.items, window_of_those_before(sentence))
            give_place(self.out.items, sentence)
            if self.out.items and (strange := strange_place_of_those_before(sentence)):
                unknown(self, "zone", strange)
            told = windows_told(sentence)
            if all(isinstance(item, EventDraft) for item in self.out.items) or any(p.start or p.end for p in told):
                self.context.parts = told
        made = self.out.items[before:]
        for item in made:
            if isinstance(item, SurgeDraft):
                self.context.occasion = intent_pb2.OCCASION_SURGE
            elif isinstance(item, MaintenanceDraft):
                self.context.occasion = intent_pb2.OCCASION_MAINTENANCE

    def _worked(self) -> set[str]:
        """Links whose work was stated."""
        return {link for item in self.out.items if isinstance(item, MaintenanceDraft) for link in item.links}

    def _spoken_of(self, sentence: Sequence[Clause]) -> None:
        """A sentence without a statement names a place that "there" stands for after it."""
        zones = list(dict.fromkeys(zone for clause in sentence for zone in clause.zones))
        cells = list(dict.fromkeys(cell for clause in sentence for cell in clause.cells))
        if cells and not zones and not any(clause.links for clause in sentence):
            self.context.zone, self.context.cells, self.context.links = "", cells, []
        if len(zones) == 1 and not any(clause.cells or clause.links for clause in sentence):
            self.context.zone, self.context.cells, self.context.links = zones[0], [], []
            if any(clause.slices for clause in sentence) and not any(figures(clause) for clause in sentence):
                self.context.mentioned_zone = zones[0]

    def _open(self, opener: str) -> None:
        """What a heading and the place of the statement before are still good for."""
        if opener == ITEM:
            self.context.heading = self.context.above
        elif opener != ";":
            self.context.heading = self.context.above = None
        if opener != ";":
            self._trail = []

    def _head(self, clause: Clause) -> None:
        """Take a heading; the heading of the list it is in says what it does not."""
        above, last = self.context.above, self.context.heading
        own = {n.kind for c in clause.chunks if c.tag == "name" for n in c.value}
        if not own and clause.tags & KPI_TAGS and last is not None and last.tags & KPI_TAGS:
            clause = replace(clause, chunks=[*(c for c in last.chunks if c.tag == "name"), *clause.chunks])
        if above is not None:
            more = [c for c in above.chunks if c.tag != "name" or not {n.kind for n in c.value} & own]
            clause = replace(clause, chunks=[*clause.chunks, *more])
        self.context.heading = clause

    def _merge(self, sentence: list[Clause]) -> list[tuple[Clause, str]]:
        """Statements of a sentence: what has no core of its own goes to a neighbour."""
        out: list[tuple[Clause, str]] = []
        waiting: list[Chunk] = []
        for said in risks_joined(sentence):
            clause = of_topic(self._topic, of_heading(self.context.heading, said))
            core = core_of(clause)
            if clause.heading:
                strange_heading(self, clause, sentence)
            if clause.heading and core == "figure" and "capacity" in clause.tags and not clause.links:
                continue  # "The relay loses half its capacity: ...": which links that is comes after it
            if clause.heading and core == "sla" and not clause.slices and labelled(sentence, said):
                continue
            if clause.heading and core == "save" and not figures(clause) and bare_figure(sentence, said):
                self._head(clause)
                self.context.core = "save"
                continue
            if clause.heading and (not core or (core in _HEADED and not figures(clause))):
                if out and out[-1][1] in ("sla", "kpi_open") and not figures(out[-1][0]):
                    clause = replace(clause, chunks=[*out.pop()[0].chunks, *clause.chunks])
                clause, waiting = replace(clause, chunks=[*waiting, *clause.chunks]), []
                core = core_of(clause)
                if not core or (core in _HEADED and (core != "sla" or clause.slices)):
                    self._head(clause)
                    continue
            if out and out[-1][1] == "rank" and counted_too(out[-1][0], clause):
                more = Chunk("important", clause.chunks[0].start, clause.chunks[0].start, None, "weight")
                out.append((replace(clause, chunks=[more, *clause.chunks]), "rank"))
                continue
            core = core or ("surge" if self._of_a_surge(clause) else "")
            repeated = again(said, out[-1] if out else self._last, apart=not out) if not core else None
            if repeated is not None:
                out.append(repeated)
                continue
            if not core:
                self.context.mentioned = clause.slices or self.context.mentioned
                if "cost" in clause.tags and not self.out.items:
                    self.context.core = "save"  # "Consumption is too high. Cut it by a tenth."
                if action(self, clause) or leftover(self, clause):
                    continue
                if out and out[-1][1] == "rank" and dims(clause, figures(clause)) == {"count"} and bare_count(clause):
                    self.ask("not_understood", "objective", "A figure stands beside an order of slices. Is it a weight?")
                    continue
                placed = in_order(self.context, clause, out[-1][1] if out else "")
                if placed:
                    begins = Chunk(placed, clause.chunks[0].start, clause.chunks[0].start, None, "then")
                    out.append((replace(clause, chunks=[begins, *clause.chunks]), "rank"))
                    continue
                if waiting and core_of(replace(clause, chunks=[*waiting, *clause.chunks])) == "maintenance":
                    out.append((replace(clause, chunks=[*waiting, *clause.chunks]), "maintenance"))
                    waiting = []
                    continue
                if out and out[-1][1] == "rank" and clause.tags <= {"rest", "filler"} and "rest" in clause.tags:
                    out.append((clause, "rank"))
                    continue
                if out and out[-1][1] in ("share", "kpi", "figure") and (side := side_told(clause)):
                    told = Chunk(side, clause.chunks[0].start, clause.chunks[0].start, None, side)
                    out[-1] = (replace(out[-1][0], chunks=[*out[-1][0].chunks, told]), out[-1][1])
                    continue
                if out and comparator_only(clause):
                    waiting_for = out[-1][0]
                    out[-1] = (replace(waiting_for, chunks=[*waiting_for.chunks, *clause.chunks]), out[-1][1])
                    continue
                if out and clause.opener == "(" and clause.tags & KPI_TAGS and clause.tags <= KPI_TAGS | {"filler", "punct"}:
                    out[-1] = (replace(out[-1][0], chunks=[*out[-1][0].chunks, *clause.chunks]), out[-1][1])
                    continue
                if out and out[-1][1] in ("share", "change", "freeze") and resource_only(clause):
                    out[-1] = (replace(out[-1][0], chunks=[*out[-1][0].chunks, *clause.chunks]), out[-1][1])
                    continue
                if self._turned(clause):
                    continue
                if stray_place(self, clause, sentence) or stray_partner(self, clause, sentence) or strange_zone(self, clause):
                    continue
                if out and out[-1][1] in ("share", "kpi") and remainder(clause):
                    statements.share_open(self, clause)
                    continue
                if out and (elsewhere := other_work(out[-1], clause)) is not None:
                    out.append(elsewhere)
                    continue
                subject = {"slicetype"} if clause.first and clause.opener != "because" else set()
                kept = [c for c in clause.chunks if c.tag in _CARRIED | subject or (c.tag == "quantity" and risk_of(clause))]
                kept = [c for c in kept if c.tag != "window"] if only_told(clause) else kept
                kept = [c for c in kept if not (c.tag == "window" and c.value.back == "after")]
                if "unknown" in clause.tags:  # "visitors stream video, so ..."
                    kept = [c for c in kept if c.tag != "slicetype"]
                kept = without_others(kept, clause, out[-1][0]) if out and not waiting else kept
                if told_of_a_place(clause) and out:
                    kept = [c for c in kept if c.tag != "name"]
                if not clause.quantities() and clause.tags & {"there", "unknown"}:  # "there is a small chance of fog"
                    kept = [c for c in kept if c.tag not in ("risk", "confidence")]
                if risk_of(clause) and clause.chunks[0].tag != "with":
                    kept = [Chunk("apart", clause.chunks[0].start, clause.chunks[0].start), *kept]
                if out and not waiting:
                    last, last_core = out[-1]
                    out[-1] = (replace(last, chunks=[*last.chunks, *kept]), last_core)
                else:
                    waiting += kept if not bare_kpi(clause) else [c for c in clause.chunks if c.tag in _CARRIED | KPI_TAGS]
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
            earlier = out[-1][0].windows() if out else [p for item in self.out.items[-1:] for p in item.parts]
            another = bool(earlier) and any(p.back in ("", "after") for p in said.windows())
            left = what_is_left(said, core) and not another
            if out and out[-1][1] == "maintenance" and left:
                last, last_core = out[-1]
                if clause.opener == "and" and len(last.links) > 1 and figures(last):  # "at 50 % and 70 % of their capacity"
                    out[-1] = (replace(last, chunks=[*last.chunks, *said.chunks]), last_core)
                    continue
                rest = [c for i, c in enumerate(last.chunks) if i not in figures(last)]
                out[-1] = (replace(last, chunks=[*rest, *said.chunks]), last_core)
                continue
            if not out and left and left_of_last(self.out.items, said):
                continue
            if core == "rank" and clause.slices and clause.opener in ("but", "and", ";", "while", ","):
                # "A ..., but B comes first"
                waiting = [c for c in waiting if not (c.tag == "name" and c.value[0].kind == SLICE)]
            waiting = without_reasons(waiting, clause, sentence)
            whole = replace(clause, chunks=[*waiting, *clause.chunks]) if waiting else clause
            out.append((whole, core_of(whole) or core))
            waiting = []
        if waiting and out:
            last, last_core = out[-1]
            out[-1] = (replace(last, chunks=[*last.chunks, *waiting]), last_core)
        elif self.out.items and any(c.tag in ("risk", "confidence") for c in waiting):
            late_risk(self.out.items, replace(sentence[0], chunks=waiting))
        elif sentence[0].opener == ";" and self._trail and any(c.tag == "name" for c in waiting):
            last_place(self._trail, [c for c in waiting if c.tag == "name"])
        elif waiting and any(c.tag == "window" for c in waiting) and self.out.items and sentence[0].opener == ";":
            parts = [c.value for c in waiting if c.tag == "window"]
            if of_all(sentence[0]):
                give_to_those_before(self.out.items, parts)
            else:
                self.out.items[-1].parts += parts
        return out

    def _of_a_surge(self, clause: Clause) -> bool:
        """ "Tonight's surge: double eMBB in the corridor"."""
        heading = self.context.heading
        return heading is not None and "demand" in heading.tags and bool(clause.tags & MULTIPLES.keys())

    def _turned(self, clause: Clause) -> bool:
        """ "... anything below 25 Mbps; make that the floor": the side of the bound before, said after it."""
        words = {c.word for c in clause.chunks}
        low, high = bool(words & _FLOORS), bool(words & _CEILINGS)
        last = self.out.items[-1] if self.out.items else None
        if not isinstance(last, ConstraintDraft) or low == high or "pronoun" not in clause.tags or figures(clause):
            return False
        if last.kpi == "throughput_mbps" or high:
            last.side = "at_least" if low else "at_most"
        return True

    def _completes(self, last: tuple[Clause, str], clause: Clause) -> bool:
        kinds = dims(clause, figures(clause))
        return not clause.slices and not (clause.tags & KPI_TAGS) and bool(kinds)

    # --- statements ----------------------------------------------------------------------------------------------------

    def _statement(self, clause: Clause, core: str) -> None:
        places(self, clause, core)
        clause, core = settled(self.context, clause, core, self._mentioned)
        if core == DOUBTFUL:
            self.ask(
                "not_understood",
                "",
                "A figure follows a bound on loss: is it a bound on loss too, or a share?",
                ("loss", "share"),
            )
            return
        makers = {
            "kpi": statements_kpi.kpi,
            "share": statements.share,
            "surge": statements.surge,
            "maintenance": statements_maintenance.maintenance,
            "freeze": statements.freeze,
            "change": statements.change,
            "rank": statements_objective.rank,
            "save": statements_objective.save,
            "anycost": statements_objective.anycost,
            "sla": statements_objective.sla,
            "relieve": statements.relieve,
            "overload": statements.relieve,
            "surge_open": statements.surge_open,
            "headroom": statements_kpi.headroom,
            "kpi_open": statements_kpi.kpi_open,
            "share_open": statements.share_open,
            "unfreeze": statements.unfreeze,
        }
        maker = makers.get(core)
        if maker is None:
            self.ask("not_understood", "", "A figure was named, but not what it bounds. What is meant by it?")
            return
        maker(self, clause)
        if core not in ("anycost", "sla") and any(c.tag == "anycost" and c.word != "whatever it takes" for c in clause.chunks):
            statements_objective.anycost(self, clause)
        self.context.core = core
        if clause.slices:
            self.context.slices = clause.slices
        elif self.context.heading is not None and self.context.heading.slices:
            self.context.slices = self.context.heading.slices
        if clause.zones:
            self.context.zone, self.context.cells, self.context.links = clause.zones[-1], [], []
        elif clause.cells or clause.links:
            self.context.cells, self.context.links = clause.cells, clause.links

    def where(self, clause: Clause, *, ellipsis: bool = True) -> Where:
        """Scope of a clause: its own names, else what "there", "it" or a heading stands for."""
        return where_of(self, clause, ellipsis=ellipsis)

    def zones(self, clause: Clause, where: Where) -> list[Where]:
        """One scope for each zone."""
        return zones_of(self, clause, where)

    def add(self, item: Item, clause: Clause) -> None:
        """Keep a draft."""
        item.parts = clause.windows()
        self.out.items.append(item)

    def objective(self, clause: Clause) -> ObjectiveDraft:
        """A new objective draft."""
        draft = ObjectiveDraft(clause=clause.chunks[0].start)
        self.add(draft, clause)
        return draft
