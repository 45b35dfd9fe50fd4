"""Figures in the word orders and company people give them: references are no figures, "15 % not exceed" is a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twm.gateway.intents.chunks import NAME, QUANTITY, Chunk
from twm.gateway.intents.units import COUNT, DELAY, FRACTION, RATE, RATIO, SECONDS

_REFERENCE_WORDS = """
condition clause paragraph para section subsection annex appendix article rule regulation recital exhibit chapter footnote
requirement req ticket case inc incident tt chg rfc wo cr jira ref reference refs docket dossier file form page slide
agenda resolution version schedule schedules memo licence license minute § item items
"""
_REFERENCES = frozenset(_REFERENCE_WORDS.split())
_NUMBER_WORDS = frozenset({"no", "nr", "number", "numbers", "#", "-", "–", ":", ".", "_", "id", "nos"})
_ENDS = frozenset(".;!?")


def references(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "licence condition 7", "ticket no. 4471", "INC-88120": a number that points to a paper, and is no figure."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.tag == NAME or chunk.word not in _REFERENCES:
            continue
        j = i + 1
        while j < min(i + 3, len(out)) and out[j].word in _NUMBER_WORDS:
            j += 1
        if j < len(out) and out[j].tag == QUANTITY and out[j].value.dim == COUNT and _plain_number(out, j):
            for k in range(i - (i > 0 and out[i - 1].word == "per"), j + 1):
                out[k] = replace(out[k], tag="filler", value=None, word=out[k].word or "number")
    return out


def _plain_number(chunks: Sequence[Chunk], j: int) -> bool:
    """No unit comes, in this figure or the next of a list ("schedule 10 or 20 %")."""
    after = chunks[j + 1 : j + 3]
    joined = len(after) == 2 and after[0].word in ("or", "-", "to", "and") and after[1].tag == QUANTITY
    return float(chunks[j].value.value).is_integer() and not joined and not (after and after[0].tag in ("times", "range"))


_UP_TO = frozenset({DELAY, RATE, RATIO, FRACTION})


def until_figures(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "a delay until 2 s", "may go till 80 %": before what is no time of day, "until" is a bound."""
    out = list(chunks)
    for i, chunk in enumerate(out[:-1]):
        after = out[i + 1]
        if chunk.tag == "until" and after.tag == QUANTITY and (after.value.dim in _UP_TO or after.value.dim == SECONDS):
            whole = i > 1 and out[i - 1].tag == QUANTITY and out[i - 2].tag in ("from", "between")
            out[i] = replace(chunk, tag="to" if whole else "atmost")
    return out


_EXCEEDING = frozenset({"exceed", "exceeded", "surpass", "overstep", "pass", "top", "climb", "rise", "go", "grow", "run"})
_FALLING = frozenset({"fall", "drop", "sink", "go", "dip", "undercut"})


def verbs_last(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "must not 15 % exceed", "shall not over 1 % climb": the verb behind its figure, as some languages have it."""
    out = list(chunks)
    for i, chunk in enumerate(out[:-1]):
        if chunk.tag != QUANTITY or out[i + 1].tag == NAME or (i + 2 < len(out) and out[i + 2].tag == QUANTITY):
            continue
        if i + 2 < len(out) and out[i + 2].tag not in (
            "punct",
            "and",
            "or",
            "but",
            "in",
            "at",
            "on",
            "during",
            "window",
            "until",
        ):
            continue
        verb, before = out[i + 1].word, out[max(i - 4, 0) : i]
        denied = any(c.tag == "neg" or "not" in c.word.split() for c in before)
        sided = any(c.tag in ("above", "below", "over", "atmost", "atleast", "more", "less") for c in before)
        if denied and not sided and verb in ("exceed", "surpass", "overstep", "top"):
            out[i], out[i + 1] = replace(out[i + 1], tag="above", word=verb), chunk
        elif denied and not sided and verb == "undercut":
            out[i], out[i + 1] = replace(out[i + 1], tag="below", word=verb), chunk
        elif denied and sided and verb in _EXCEEDING | _FALLING:
            out[i + 1] = replace(out[i + 1], tag="filler")
    return out


_DROPS = frozenset({"drop", "drops", "dropping", "dropped", "shed", "sheds", "waste"})
_NOT_LOST = frozenset(
    {"demand", "share", "prb", "bandwidth", "capacity", "throughput", "util", "cost", "save", "delay", "loss"}
)


def drops(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "may not drop more than one in fifty", "drops at most 2 %": packets that are lost; "drop by", "drop below" are not."""
    out = list(chunks)
    for i, chunk in enumerate(out):
        if chunk.word not in _DROPS or chunk.tag == NAME:
            continue
        figure = next((k for k in range(i + 1, min(i + 5, len(out))) if out[k].tag == QUANTITY), -1)
        if figure < 0 or out[figure].value.dim not in (RATIO, FRACTION):
            continue
        first = next((k + 1 for k in range(i - 1, -1, -1) if out[k].tag == "punct" and out[k].word in ".;!?,:"), 0)
        said = {c.tag for c in out[first:figure] if c.word not in ("surge", "surges", "peak", "peaks")}
        after = [c.tag for c in out[i + 1 : figure]]
        sided = bool(after) and all(
            t in ("more", "than", "atmost", "less", "filler", "about", "of", "over", "above") for t in after
        )
        if sided and {"more", "atmost", "over", "above"} & set(after) and not said & _NOT_LOST:
            out[i] = replace(chunk, tag="lose")
    return out


_NOUNS = frozenset({"slicenoun", "cellnoun", "zonenoun", "linknoun"})


def not_one(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "not one slice", "not a single cell", "no single link": none of them."""
    out: list[Chunk] = []
    i = 0
    while i < len(chunks):
        out.append(chunks[i])
        if chunks[i].tag == "neg" and chunks[i].word in ("not", "no"):
            j = i + 1
            while j < len(chunks) and j < i + 4 and chunks[j].word in ("one", "a", "single", "any", "of", "the", "our"):
                j += 1
            if j > i + 1 and j < len(chunks) and chunks[j].tag in _NOUNS:
                out[-1] = replace(chunks[i], word="no")
                i = j
                continue
        i += 1
    return out


def there_of(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "eMBB there will be twice the usual": a place right after a name, and no "there will be"."""
    out: list[Chunk] = []
    for i, chunk in enumerate(chunks):
        if chunk.tag == "expect" and chunk.word.startswith("there ") and i and chunks[i - 1].tag == NAME:
            out.append(Chunk("there", chunk.start, chunk.start, None, "there"))
        out.append(chunk)
    return out


def filled(chunks: Sequence[Chunk]) -> list[Chunk]:
    """ "not fuller than 70 %": of how much is used, and more than that."""
    out: list[Chunk] = []
    for i, chunk in enumerate(chunks):
        if chunk.word == "fuller" and i + 1 < len(chunks) and chunks[i + 1].tag == "than":
            out += [Chunk("util", chunk.start, chunk.start, None, "fullness"), replace(chunk, tag="above")]
        else:
            out.append(chunk)
    return out
