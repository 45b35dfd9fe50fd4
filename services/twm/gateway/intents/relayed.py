"""Relayed wishes and academic prose put plainly: "would be grateful if", "what he needs is that", asides, relative clauses.

Only what carries nothing for the network is left out: asides and relative clauses with a figure, a negation or an order stay.
Every pattern is bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

import re

_PLEASED = (
    r"(?:grateful|thankful|obliged|content|happy|happier|glad|pleased|relieved|satisfied|delighted|reassured|fine|helped|calmer"
    r"|much appreciated|appreciated)"
)
_WISHES = re.compile(
    rf"(?i)\b(?:would|'d|’d) (?:(?:all|both|also|really) )?(?:be (?:[a-z]+ ){{0,3}}?{_PLEASED}(?: to (?:you|us))?|appreciate it"
    r"|like it|not mind|help|help (?:us|them|him|her|me)|prefer it"
    r"|mean (?:a lot|the world|so much)(?: to (?:me|us|them|him|her))?"
    r"|make (?:my|our|his|her|their) (?:day|week|life easier|lives easier)|do (?:me|us) a (?:big |great |huge )?favou?r"
    r"|be (?:a|an|such a)(?: \w+){0,2} (?:help|relief|favou?r|comfort)(?: to (?:me|us|them|him|her))?"
    r"|be (?:\w+ )?(?:nice|great|good|lovely|helpful|wonderful|ideal|perfect|best|better|useful|kind|fantastic|brilliant)"
    r"(?: (?:for|to) (?:me|us|them|him|her|all))?) if\b"
)
_WONDERING = re.compile(
    r"(?i)\b(?:I|we)(?:'m|'re| am| are| was| were| have been|'ve been)?(?: just| only)? wonder(?:ed|ing)? (?:if|whether) "
    r"(?:it (?:would|might|is|was|were)(?: be)? possible(?: for you)? to|(?:you|we|someone|somebody|anyone|the team|one) "
    r"(?:could|can|might|would)(?: please| kindly| perhaps| possibly)?)(?= )"
    r"|\b(?:is|was|would) there (?:be )?(?:any|a|some) (?:way|chance|possibility) "
    r"(?:to|of|(?:that )?(?:you|we) (?:could|can|might))(?= )"
)
_CLEFT = re.compile(
    r"(?i)\b(?:what|all(?: that)?|the (?:only )?thing(?: that)?) (?:[a-z']+ ){1,5}?"
    r"(?:needs?|wants?|needed|wanted|asks?|asked|asking|requires?|requests?|requested|insists?|likes?|hopes?|after"
    r"|calm them down)(?: (?:for|on|from us|of us|to see|to have))?(?:,[^,.;?\d]{1,60},)? "
    r"(?:is|was|would be)(?: that| to have| for)?(?![a-z])"
)
_TELLING = (
    r"(?:(?:and )?I(?:'m| am) (?:only |just |merely )?(?:told|passing|relaying|quoting|repeating)|as far as|so far as"
    r"|so (?:the|my|our|his|her|he|she|they|I|it)|if I (?:understood|heard|got|remember)|as (?:the|he|she|they|you|I|we) "
    r"|what with|I (?:gather|believe|think|understand|hear)|(?:he|she) (?:says|said|adds)|they (?:say|said|add|tell)"
    r"|according to|it (?:seems|appears)|moreover|furthermore|after a (?:good|great) deal)"
)
_KEPT = (
    r"(?![^,;.?]{0,80}\b(?:not|never|no|must|shall|should|only if|if the|unless|except|until|from|touch|change|frozen|freeze"
    r"|below|above|under|over|least|most)\b)"
)
_ASIDE = re.compile(rf"(?i),\s{_KEPT}{_TELLING}[^,;.?\d<>=]{{0,70}},")
_RELATIVE = re.compile(
    rf"(?i),\s{_KEPT}(?:(?:by|of|in|on|at|through|via|for) which|who|whose|where)\s[^,;.?\d<>=]{{3,80}},(?=\s)"
)
_NEWS = (
    r"(?![^,;.?]{0,90}\b(?:will|going to|expects?|today|tonight|tomorrow|morning|afternoon|evening|weekend|week|noon|midnight"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|doubles?|triples?|quadruples?)\b)"
)
"""What is told of a day or of what is to come is no mere complaint."""
_COMPLAINT = re.compile(
    rf"(?i)\b(?:tells?|told|says?|said|complains?|complained|reports?|reported)(?: (?:me|us))? that\s"
    rf"{_KEPT}{_NEWS}[^,;.?\d<>=]{{3,90}}, so\b"
)
_IN_TURN = re.compile(
    r"(?i),?\s(?:and\s)?(?:which|that|who|the latter|the second)"
    r"(?:,? (?:in (?:its|their )?turn|then|again|itself|themselves))?,?\s"
    r"(?:(?:shall|should|must|will|is to|are to) )?"
    r"(?:(?:takes?|has|have|be|is|are|gets?|given|enjoys?|comes?|goes?|go|ranks?|ranked|placed|put|stands?) ){1,2}"
    r"(?:(?:the )?(?:precedence|priority|preference) (?:over|before)|above|over|before|ahead of)(?![a-z])"
)
_WHERE = re.compile(
    r"(?i),\s(?:where|in which(?: place)?|at which(?: place)?)(?:,? (?:moreover|also|furthermore|in addition|besides|too),?)?\s"
    r"(?=[^;.?]{0,160}\d)"
)
_ELSE = re.compile(
    rf"(?i),?\s(?:or else|else|otherwise) (?=(?:the|our|it|they|we|there|this|that|he|she|people|customers|everyone)\b)"
    rf"{_KEPT}[^,;.!?\d<>=]{{3,80}}(?=[.!;,]|$)"
)
_AS_ELSEWHERE = re.compile(
    r"(?i),?\s(?:in|at|on) (?:the |our )?[a-z-]{2,20}(?: [a-z-]{2,20})? "
    r"(?:just )?(?:as|like) (?:everywhere|anywhere)(?: else)?\b"
)
_BOUNDED = re.compile(r"(?i)\b(?:bounded|limited|capped) (?:from )?(above|below) by\b")
_AND_BOUNDED = re.compile(r"(?i)\b(at (?:least|most)\s[^,;?]{1,20}?\sand) (?:from )?(above|below) by\b")
_TAG = re.compile(r"(?i),\s?(?:ok|okay|right|alright|yes|yeah|please|pls|thanks|deal|agreed|mate|cheers)\s?\?(?=\s|$)")
_AS_EVERYWHERE = re.compile(
    r"(?i),?\s(?:in|at|on) (?:[\w-]{1,20} ){1,4}?(?:just |same )?(?:as|like) (?:everywhere|anywhere)(?: else)?(?![a-z])"
)
_NO_ONE = re.compile(r"(?i)\bno[ -]one\b(?! (?:of|in|out|slice|cell|link|zone))")
_FIGURE = (
    r"\d[\d.,]{0,9} ?(?:%|percent|per cent|per mille|ms|us|µs|seconds?|s|[kMG]bps|[kMG]bit/s|[kMG]bit|points?|pp)(?![\w/])"
)
_CORRECTED = re.compile(rf"(?i)({_FIGURE}),? (?:and )?not (?:the )?{_FIGURE}(?=\s?[,.;!)]|$| for | in | on )")
"""What is put right: "12 ms, not 21 ms"."""
_REPLACED = re.compile(
    rf"(?i),?\s?(?<![\w-])(?:instead of|rather than|in place of|up from|down from) (?:the )?"
    rf"(?:(?:current|present|old|usual|previous|agreed|former|original|today's) )?{_FIGURE}(?:,(?= \w))?"
)
"""What no longer counts: "instead of 15 ms"."""
_DATE = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?(?:,? \d{4})?"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.? \d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?"
    r"|\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d{2})|\d{4}-\d\d-\d\d)"
)
_PAPERS = (
    r"(?:agreement|contract|licen[cs]e|sla|mou|msa|policy|regulation|act|minutes|annex|appendix|schedule|decree|tender|offer)"
)
_OF_PAPER = (
    rf"(?: (?:of|to|in) (?:the|our|your|this|their|said) (?:[a-z]{{2,15}} ){{0,2}}?{_PAPERS}(?: (?:of|dated) {_DATE})?)?"
)
_NUMBERED = re.compile(
    r"(?i)(?:\b(?:under|per|as per|pursuant to|according to|in (?:line|accordance) with|see|cf\.?|ref\.?|by|in|with|on) )?"
    r"(?:\b(?:the|our|your) )?(?:\b(?:licen[cs]e|contract|board|council|permit|special|general) )?"
    r"\b(?:condition|clause|section|article|art\.|annex|appendix|paragraph|para|resolution|exhibit|chapter|page|regulation|footnote"
    r"|(?:point|item|minute|paragraph|table)(?= ?\d{1,3}(?:\.\d)?(?: ?\([a-z0-9]\))?\s?[:,;.)]))s? (?:no\.? |nr\.? |# ?)?"
    r"(?:\d{1,6}(?:[./]\d{1,4}){0,3}|[A-Z](?![a-zA-Z'-])|[ivx]{1,5}(?!\w))(?: ?\((?:[a-z]|[ivx]{1,4}|\d{1,2})\)){0,3}"
    rf"(?!\s?(?:%|per|ms|us|s\b|[kmg]b|[kmg]bit|points?\b|times|x\b))(?![\w-]){_OF_PAPER}"
)
"""What is cited and says nothing itself: "under licence condition 7", "clause 4.2 of the agreement of 3 March", "annex B"."""
_BY_PAPER = re.compile(
    r"(?i)(^|[.;:!?(,]\s*)(?:under|pursuant to|according to|in (?:line|accordance|keeping) with|based on"
    r"|as (?:per|(?:agreed|laid down|set out|stated|written|provided|foreseen|required) (?:in|by|under))|per|by)"
    rf" (?:the|our|your|this|their) (?:[a-z]{{2,15}} ){{0,2}}?{_PAPERS}(?: with (?:the |our |you|us)?\w*)?"
    r"(?=, ?\w| (?:the|a|an|we|you|it|all|every|no|please|[\w-]+ (?:must|shall|should|gets?|may|has|have|is|are|needs?))\b)"
)
"""On what a wish is founded: "pursuant to our agreement, ..."; not "keep it in line with the SLA"."""
_DATED = re.compile(
    r"(?i)\b(letters?|e-?mails?|mails?|notes?|memos?|fax|reports?|decisions?|resolutions?|circulars?|complaints?|minutes"
    rf"|requests?|offers?|{_PAPERS})(?:,? (?:of|dated)(?: the)?|,(?= )|(?<=mail) from|(?<=letter) from) {_DATE}"
    r"(?! ?[-–] ?\d| (?:to|until|from)\b|,? \d\d?[:.]\d\d)"
)
"""The day of a paper, which is no window: "your letter of 12 October"."""
_SIDE = {"above": "at most", "below": "at least"}


_THAT_IS = re.compile(r"(?i),?\s\(?i\.\s?e\.,?")
"""What follows goes on with the same statement."""


def plainly(text: str) -> str:
    """The text without the frames of a relayed wish. Never longer."""
    out = _DATED.sub(r"\1", _BY_PAPER.sub(r"\1 ", _NUMBERED.sub(" ", text)))
    out = _TAG.sub(".", out)
    out = _THAT_IS.sub("", out)
    out = _WISHES.sub("want", out)
    out = _WONDERING.sub("could you", out)
    out = _REPLACED.sub(" ", _CORRECTED.sub(r"\1", out))
    out = _CLEFT.sub("please", out)
    out = _IN_TURN.sub(" over", out)
    out = _WHERE.sub(", and there ", out)
    out = _NO_ONE.sub("nobody", out)
    out = _AS_EVERYWHERE.sub(" everywhere", out)
    out = _ASIDE.sub(" ", out)
    out = _RELATIVE.sub(" ", out)
    out = _COMPLAINT.sub(". So", out)
    out = _ELSE.sub("", out)
    out = _AS_ELSEWHERE.sub(" everywhere", out)
    out = _BOUNDED.sub(lambda m: _SIDE[m[1].casefold()], out)
    return _AND_BOUNDED.sub(lambda m: f"{m[1]} {_SIDE[m[2].casefold()]}", out)
