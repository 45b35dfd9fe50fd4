"""What is written like a name and refers to something else: tickets, cases, requests."""

from __future__ import annotations

from collections.abc import Sequence

from twm.gateway.intents import lexicon
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
