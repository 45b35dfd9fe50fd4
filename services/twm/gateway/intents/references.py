"""What is written like a name and refers to something else: tickets, cases, requests, priorities."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents import lexicon
from twm.gateway.intents.numbers import NUMBER_WORDS, ONES
from twm.gateway.intents.tokens import Token
from twm.gateway.intents.units import UNIT_WORDS

_TICKET_WORDS = (
    "cr inc chg req tkt ticket case wo rfc sr jira ref reference request change incident order task id po tt itsm ritm case"
)
_TICKETS = frozenset(_TICKET_WORDS.split())


def ticket(tokens: Sequence[Token], words: Sequence[str], i: int) -> int:
    """ "INC-88120", "ticket no. 4711", "case 48812": the token after a reference; 0 where there is none."""
    if tokens[i].text not in _TICKETS:
        return 0
    j = i + 1
    while j < len(tokens) and j < i + 4 and tokens[j].text in ("-", "_", "#", "no", "nr", "number", ".", ":"):
        j += 1
    if j >= len(tokens) or tokens[j].kind != "number" or not tokens[j].text.isdigit() or len(tokens[j].text) < 3:
        return 0
    after = words[j + 1] if j + 1 < len(tokens) else ""
    return 0 if after in UNIT_WORDS or after in ("%", ":", "s", "h") else j + 1


def like_an_id(tokens: Sequence[Token], i: int) -> bool:
    """ "CEN-01", "TN-3" in a network without such names; not "CR-20931", "Nov-27" or "covid-19"."""
    word, before = tokens[i], tokens[i - 1].text if i else ""
    known = lexicon.words().get(word.text)
    referred = word.text in _TICKETS or before in _TICKETS
    return word.raw.isupper() and len(word.raw) <= 6 and not referred and known in (None, "filler", "linknoun", "nodenoun")


def numbered_priority(tokens: Sequence[Token], words: Sequence[str], i: int) -> tuple[int, int] | None:
    """ "P1: ..." at the head of a sentence, "prio 4", "priority: 2": a priority, its number and the token after."""
    short = words[i] == "p" and (i == 0 or words[i - 1] in (".", ";", "!"))
    if not short and words[i] not in ("priority", "prio"):
        return None
    j = i + 1
    while not short and j < len(tokens) and words[j] in (":", "=", "is", "level", "class", "no", "#", "number", "of"):
        j += 1
    number = ONES.get(tokens[j].text, 0) if j < len(tokens) and not short else 0
    number = number or (int(tokens[j].text) if j < len(tokens) and tokens[j].text in ("1", "2", "3", "4", "5") else 0)
    if not 1 <= number <= 5 or (short and not tokens[j].glued):
        return None
    after = words[j + 1] if j + 1 < len(words) else ""
    if tokens[j].kind == "word" and (after in UNIT_WORDS or after in NUMBER_WORDS or after in ("point", "times")):
        return None
    if (short and after not in (":", "-", "–", ",", "!", "")) or after == "%":
        return None
    end = j + 2 if short and after in ("-", "–", ":", ",") else j + 1
    return number, end
