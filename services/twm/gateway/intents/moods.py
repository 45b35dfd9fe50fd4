"""Sentences that set no goal: questions about the network, and conditions other than a surge, work on links or an event."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from twm.gateway.intents.background import orders_of
from twm.gateway.intents.chunks import EITHER, Chunk
from twm.gateway.intents.clauses import Clause
from twm.gateway.intents.cores import KPI_TAGS, core_of, figures
from twm.gateway.intents.names import CELL, LINK, NODE, ZONE
from twm.gateway.intents.questions import question, quoted

if TYPE_CHECKING:
    from twm.gateway.intents.meaning import Reader

_ADDRESSED = frozenset({"you", "we", "i", "someone", "somebody", "anyone", "anybody", "u", "the team", "it"})
_AFTER = frozenset({",", ".", ";", "!", "?", "and", "but", "then", "so", ":", "-", "--"})
_GREETING = ", ( so and ok okay but then hi hello hey please just now also team folks guys all dear sorry well"
_LED_BY = frozenset(_GREETING.split())
_WANTED = frozenset({"can", "could", "would", "will", "may", "might", "won't", "couldn't", "wouldn't", "can't"})
_ASKED = frozenset({"is", "are", "was", "were", "did", "does", "isn't", "aren't", "didn't", "doesn't", "wasn't", "weren't"})
_ASKED_WITH_MARK = frozenset({"do", "has", "have", "had", "should", "shall", "which", "who", "where", "whose", "when", "any"})
_REPORTS = frozenset({"tell", "show", "explain", "confirm", "say", "know", "report", "wonder", "wondering", "check", "curious"})
_INDIRECT = frozenset({"whether", "if", "what", "why", "how", "when", "which", "who", "where"})
_ENDINGS = frozenset({"ok", "okay", "right", "please", "yes", "alright", "pls", "thanks", "you", "correct", "deal", "mind"})
_CONTENT = frozenset({*KPI_TAGS, "name", "demand", "overload", "quantity", "range", "share", "prb", "maint", "sla", "down"})

_POLITE = """
you possible at all can could please it is isn't 's it's not too much trouble that that's works ok okay fine need be needed
necessary feasible don't dont mind would do so like wish want may might there any there's way chance somehow no objections
practical manage able are were somebody someone anyone anybody kindly we i reasonable required convenient the team planned
planner system network told otherwise stated say noted instructed absolutely really agreed
"""
_POLITE_WORDS = frozenset(_POLITE.split())
_HEADS = """
possible necessary needed feasible mind please can could would trouble works ok okay fine need want like wish way chance manage
objections practical so reasonable required convenient otherwise might
"""
_POLITE_HEADS = frozenset(_HEADS.split())
_THANKS = """
perfect thankful obliged help helps pleased welcome grateful appreciate appreciated nice great happy glad good kind wonderful
lovely helpful ask asked even as it better fine
"""
_GRATEFUL = frozenset(_THANKS.split())
_SUMMED = frozenset({"together", "combined", "jointly", "sum", "summed"})
_DONE = "done finished complete completed ready implemented set live applied active sorted"
_FINISHED = frozenset(_DONE.split())
_CONTACT_WORDS = (
    "call ring phone contact ping shout tell know inform mail email reply answer revert report write ask notify message"
)
_CONTACT = frozenset(_CONTACT_WORDS.split())
_UNCLEAR = frozenset({"question", "questions", "unclear", "doubt", "doubts", "concerns", "wrong", "problems", "objection"})
_USER_WORDS = "user users ue ues device devices subscriber subscribers customer customers terminal terminals handset handsets"
_THINGS = frozenset({"slices", "zones", "cells", "links", "areas", "sites"})
_USERS = frozenset(_USER_WORDS.split())


def no_goal(reader: Reader, sentence: Sequence[Clause]) -> bool:
    """Ask where a sentence is a question or hangs on a condition that cannot be watched; whether it did."""
    if _interrogative(sentence):
        asked = question(
            "no_goal",
            "",
            "This reads as a question about the network. An intent says what is to be reached: what is the goal?",
        )
        (reader.out.asides if _aside(sentence) else reader.out.questions).append(asked)
        return True
    bounded = any(core_of(clause) == "change" for clause in sentence)
    held = orders_of(sentence)
    found = _turned(sentence) or next((c for c in (_condition(x) for x in held if not (bounded and _own_changes(x))) if c), "")
    if found:
        reader.ask(
            "unsupported_condition",
            "",
            f"{quoted(found)} makes this hang on a condition. Only a surge, work on a link and an event can be conditions; "
            "for anything else, what is to hold at all times, or from when to when?",
        )
    return bool(found)


_WONDERED = frozenset({"who", "why", "how", "what", "did", "has", "have", "had", "was", "were"})


def _aside(sentence: Sequence[Clause]) -> bool:
    """ "Who moved eMBB?? Freeze it": a question that nothing hangs on, where an order stands beside it."""
    words = list(itertools.dropwhile(_LED_BY.__contains__, sentence[0].lead))
    wondered = bool(words) and words[0] in _WONDERED and words[:2] != ["what", "if"]
    return wondered and sentence[0].ends == "?" and not any(figures(c) or core_of(c) in _ORDERING for c in sentence)


_ORDERING = frozenset({"freeze", "rank", "save", "sla", "relieve"})


def hangs_on_question(sentence: Sequence[Clause]) -> bool:
    """ "... Then cap it": whether it says what is to be done when a question has been answered."""
    return sentence[0].lead[:1] in (("then",), ("otherwise",), ("else",), ("so",))


def _words(chunks: Sequence[Chunk]) -> list[str]:
    return [word for c in chunks for word in (c.word or c.tag).split()]


def _interrogative(sentence: Sequence[Clause]) -> bool:
    marked = sentence[0].ends == "?"
    told = [c for c in sentence if c.tags & _CONTENT]
    if not told:
        return False
    lead = list(told[0].lead)
    starts = [(lead, told[0])]
    starts += [(_words(c.chunks), c) for c in sentence[: sentence.index(told[0]) + 1] if c.opener in _AFTER]
    for said, clause in starts:
        words = list(itertools.dropwhile(_LED_BY.__contains__, said))
        if not words:
            continue
        first, second = words[0], words[1] if len(words) > 1 else ""
        if _reports(words, clause):
            return True
        if first in ("why", "how", "what"):
            wanted = first == "what" and not marked and _what_is_wanted(second, sentence)
            return second not in ("about", "i", "we") and not wanted
        if words[:3] == ["is", "it", "possible"]:
            return False
        if (
            first in _ASKED
            and (marked or said is lead)
            and (marked or second not in ("not",))
            and not (first == "is" and second == "it" and not marked)
        ):
            return True
        if first == "any" and second in _CHANCES and words[2:3] and words[2] in _OF_DOING:
            return False
        if marked and (first in _ASKED_WITH_MARK or (first in _WANTED and second not in _ADDRESSED)):
            return second != "not"
        if first in _WANTED and second in _ADDRESSED:
            return False
    if not marked or any(set(_words(c.chunks)[:2]) & _WANTED for c in sentence):
        return False
    last = _words(sentence[-1].chunks)
    return not (last and last[-1] in _ENDINGS) and any(core_of(c) for c in sentence)


_WANTING_WORDS = """
matters counts they he she customers customer clients people users everybody everyone residents visitors management contract
"""
_WANTING = frozenset(_WANTING_WORDS.split())


def _what_is_wanted(second: str, sentence: Sequence[Clause]) -> bool:
    """ "What they were promised: ...", "what matters is the mine: ..."; not "what is the loss"."""
    return second in _WANTING and any(c.heading or figures(c) or core_of(c) == "rank" for c in sentence)


_CHANCES = frozenset({"chance", "way", "possibility", "hope"})
_OF_DOING = frozenset({"of", "to", "you", "we"})
"""Behind "any chance" and the like, what makes it a wish: "any chance of getting ..."."""
_NO_SUBJECT = frozenset({"be", "not", "never", "always", "also", "have", "stay", "remain", "keep", "only", "get"})


def _turned(sentence: Sequence[Clause]) -> str:
    """ "Should embb get less than 10 Mbps, ...": a condition without its "if"."""
    lead, chunks = list(sentence[0].lead), sentence[0].chunks
    asked = sentence[0].ends == "?" or lead[:1] != ["should"] or not sentence[0].first
    if asked or not lead[1:] or lead[1] in _NO_SUBJECT:
        return ""
    subject = [c for c in chunks if c.tag not in ("hold", "filler")][:1]
    return "should" if subject and subject[0].tag == "name" and bool(figures(sentence[0])) else ""


def _reports(words: Sequence[str], clause: Clause) -> bool:
    """ "tell me whether N is ...", "I wonder if ..."; not a mere "let me know when it is done"."""
    at = next((i for i, word in enumerate(words) if word in _REPORTS), -1)
    return at >= 0 and any(w in _INDIRECT for w in words[at + 1 : at + 4]) and bool(clause.tags & _CONTENT)


def _condition(clause: Clause) -> str:
    """The condition word a clause hangs on; "" where there is none or it is mere politeness."""
    if clause.condition and _hangs(clause):
        return clause.condition
    chunks = clause.chunks
    if _words(chunks)[:1] == ["otherwise"] and core_of(clause) not in ("", "sla"):
        return "otherwise"  # "keep A below 8 ms; otherwise freeze B": one order or the other
    for i, chunk in enumerate(chunks):
        if chunk.tag == "cond" and not _mere_politeness(chunks, i):
            return chunk.word
    return ""


def _hangs(clause: Clause) -> bool:
    """Whether a clause after "when" is about the state of the network, and not an announcement or a moment."""
    if "window" in clause.tags and not figures(clause):
        return False
    return bool(clause.tags & _CONTENT) and core_of(clause) not in ("maintenance", "surge", "save", "sla")


def _own_changes(clause: Clause) -> bool:
    """ "When you shift bandwidth on L4": no state of the network, but what is done to it; a largest change comes after."""
    done = "change" in clause.tags and bool(clause.tags & {"share", "bandwidth", "prb", "resource", "name"})
    return done and not figures(clause) and not clause.tags & (KPI_TAGS | {"demand", "overload", "maint", "down"})


def _mere_politeness(chunks: Sequence[Chunk], i: int) -> bool:
    before = {word for c in chunks[max(i - 5, 0) : i] for word in c.word.split()}
    if chunks[i].word in ("if", "once", "when") and _reported(chunks, i):
        return True
    run: list[str] = []
    for chunk in chunks[i + 1 :]:
        words = (chunk.word or chunk.tag).split()
        if not all(word in _POLITE_WORDS for word in words):
            break
        run += words
    if before & _GRATEFUL and chunks[i].word == "if" and not before & {"only", "not"}:
        return True
    return any(word in _POLITE_HEADS for word in run) and not (run[:1] == ["it"] and run[-1] in ("can", "might", "need"))


def _reported(chunks: Sequence[Chunk], i: int) -> bool:
    """ "kindly revert once done", "call me if anything is unclear": about the answer, and not about the network."""
    rest, said = _words(chunks[i + 1 :]), set(_words(chunks[:i]))
    if any(c.tag in _CONTENT for c in chunks[i + 1 :]):
        return False
    finished = len(rest) <= 6 and bool(set(rest) & _FINISHED) and not any(c.tag in _CONTENT for c in chunks[:i])
    return finished or bool(said & _CONTACT) or bool(set(rest) & _UNCLEAR)


def beyond_scope(reader: Reader, clause: Clause) -> None:
    """Ask where a bound is meant for each user, for all but some, or for a transport node: no scope says that."""
    words = _words(clause.chunks)
    for i, word in enumerate(words):
        if word in ("each", "every", "per") and set(words[i + 1 : i + 4]) & _USERS:
            reader.ask(
                "unsupported_scope",
                "constraints.scope",
                "Bounds hold for a whole slice in a zone, cells or links, not for each user. Which one of the slice?",
            )
            break
    if len(clause.slices) > 1 and set(words) & _SUMMED and figures(clause):
        reader.ask(
            "unsupported_scope",
            "scope.slices",
            "Bounds hold for each slice, not for the sum of several. Which one for each?",
            clause.slices,
        )
    if any(c.tag == "name" and c.word == EITHER for c in clause.chunks) and not _of_both(clause, words):
        reader.ask("ambiguous_scope", "scope", "One or the other: which one is meant, or both?", ("both",))
    if set(words) & _USERS and set(words) & {"most", "some"} and figures(clause):
        reader.ask(
            "unsupported_scope", "scope", "Bounds hold for a whole slice, not for some of its users. Which one for all of it?"
        )
    unnamed = _not_named(reader, clause)
    if unnamed:
        reader.ask("ambiguous_scope", f"scope.{unnamed}s", f"Which {unnamed}s are meant?", reader.names.ids[unnamed])
    if _one_of(words):
        reader.ask("ambiguous_scope", "scope", "One of several was named, but not which. Which one is meant?")
    if not clause.links and _link_to_a_place(clause) and core_of(clause) not in ("", "maintenance"):
        reader.ask("ambiguous_scope", "scope.links", "Which link is meant?", reader.names.ids["link"])
    if "rather" in words and "than" in words and len(clause.slices) > 1 and len(figures(clause)) > 1:
        reader.ask("not_understood", "", "One thing rather than another was read: which bound is to hold for which slice?")
    if figures(clause) and {"elsewhere", "otherwhere"} & set(words):
        reader.ask("unsupported_scope", "scope", "Elsewhere: which slices, zones, cells or links does that hold for?")
    if "doubtful" in clause.tags:
        reader.ask("ambiguous_scope", "scope", "Which bound holds where? Please part them by commas, each with its place.")
    if "excluded" in clause.tags:
        reader.ask(
            "unsupported_scope",
            "scope",
            "An exception of that kind cannot be said in a scope. Which slices, zones, cells or links does it hold for?",
        )
    for chunk in clause.chunks:
        if chunk.tag == "name" and {n.kind for n in chunk.value} == {NODE} and core_of(clause) not in ("", "maintenance"):
            reader.ask(
                "ambiguous_scope",
                "scope",
                f"{quoted(chunk.value[0].id)} is a transport node. Which cells or links are meant?",
                _at_node(reader, chunk.value[0].id),
            )
            break


def _link_to_a_place(clause: Clause) -> bool:
    """ "The link to the hospital": zones have several links, or none of their own."""
    chunks = [c for c in clause.chunks if c.tag != "filler"]
    for i, chunk in enumerate(chunks[:-2]):
        if chunk.tag == "linknoun" and chunks[i + 1].tag in ("to", "towards", "of", "for"):
            after = chunks[i + 2]
            if after.tag == "name" and {n.kind for n in after.value} <= {ZONE, CELL}:
                return True
    return False


def _of_both(clause: Clause, words: Sequence[str]) -> bool:
    """ "Neither A nor B", "no more than 5 % for A or B": what is denied of one or the other is denied of both."""
    denied = any(c.word.startswith(("no ", "not ", "never ", "nothing ")) for c in clause.chunks if c.tag == "atmost")
    return denied or bool(clause.tags & {"neg", "all"}) or clause.opener in ("nor", "without") or "whether" in words


_SOME = frozenset({"other", "others", "some", "several", "certain", "few", "many", "most"})
_POINTED = frozenset({"these", "those", "this", "that"})
_POINTED_AT = {"cellnoun": CELL, "linknoun": LINK}


def _not_named(reader: Reader, clause: Clause) -> str:
    """ "The other links", "that cell", "some of the cells", where none was named: of what kind."""
    chunks = [c for c in clause.chunks if c.tag not in ("of", "filler") or c.word in _SOME | _POINTED]
    if clause.cells or clause.links or not (clause.heading or (figures(clause) and core_of(clause))):
        return ""
    for before, chunk in itertools.pairwise(chunks):
        kind, plural = _POINTED_AT.get(chunk.tag, ""), chunk.word.endswith("s")
        if not kind or chunk.word.startswith(("site", "path", "connection")):
            continue
        pointed = before.word in _POINTED - {"that"} if plural else before.word in ("this", "that")
        if (before.word in _SOME and plural and "all" not in clause.tags) or (pointed and not clause.zones):
            return kind
    return ""


def _one_of(words: Sequence[str]) -> bool:
    """ "one of the slices", "I forgot which"."""
    for i, word in enumerate(words):
        if word == "one" and words[i + 1 : i + 2] == ["of"] and _THINGS & set(words[i + 2 : i + 5]):
            return True
        if word == "which" and i and words[i - 1] in ("forgot", "forget", "sure", "remember", "know"):
            return True
    return False


def _at_node(reader: Reader, node: str) -> list[str]:
    cells = [c.id for c in reader.spec.cells if c.transport_node == node]
    links = [link.id for link in reader.spec.transport.links if node in (link.source, link.target)]
    return [*cells, *links]
