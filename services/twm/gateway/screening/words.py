"""Word lists of the screening: data, in lower case."""

from __future__ import annotations

_COMMON = """
    a about above after again all also an and any are as at be because been before being below between both but by can
    cannot could did do does done down during each every following for from further get give given had has have having
    here how if in into is it its just last like made make may me more most must my need new no not now of off on once one
    only or other our out over own please same see set shall should so some such than that the their them then there these
    they this those through to too under until up use very was we were what when where which while who will with without
    would yes you your full high low next cell link slice alarm network traffic power failure error unit board port
    service system user users data time loss signal drop zero mode switch release set all share shares whole delete log
    tell operator area plan floor next call print report mark raise
    """
COMMON = frozenset(_COMMON.split())
"""Words that make a decoded text language rather than noise."""

VERBS = (
    "accept|act|appoint|arrange|ask|attribute|activate|add|adjust|admit|advise|alert|allocate|allow|announce|answer|apply|approve|arm|assign|assume|authori[sz]e|"
    "award|ban|bar|bestow|begin|believe|block|boost|bring|broadcast|bump|bypass|call|cancel|cap|cease|change|circumvent|claim|clamp|clear|close|"
    "command|commit|conceal|confirm|consider|convert|crank|create|cut|deactivate|declare|decrease|dedicate|delete|deliver|deny|deploy|"
    "deprive|devote|direct|disable|disarm|discard|dismiss|disregard|divert|double|downgrade|drain|drop|elevate|eliminate|emit|enable|"
    "encode|end|enforce|engage|ensure|enter|erase|escalate|evade|exceed|exempt|execute|expand|explain|fake|favou?r|feed|finali[sz]e|flip|"
    "forbid|force|forget|forward|free|freeze|fulfil|generate|get|give|go|grab|grant|halt|halve|hand|hide|hold|ignore|impersonate|"
    "implement|inform|initiate|inject|insert|install|instruct|invoke|issue|jump|keep|kill|launch|leak|leave|let|lift|load|lock|"
    "loosen|lower|make|mark|max|maximi[sz]e|minimi[sz]e|move|mute|negate|neglect|nullify|obey|omit|open|order|output|overlook|override|"
    "overrule|overwrite|pass|permit|pin|post|pretend|print|prioriti[sz]e|proceed|promote|propose|publish|pull|purge|push|put|"
    "quadruple|raise|reallocate|reassign|recommend|record|redirect|reduce|reject|relax|release|remove|repeat|replace|reply|report|"
    "request|reroute|reserve|respond|restrict|return|reveal|revert|revoke|rewrite|roll|route|run|say|schedule|scrap|select|sell|send|serve|set|"
    "shed|shift|shrink|shut|sign|silence|skip|slash|speak|squeeze|start|starve|state|steer|stop|strip|submit|summari[sz]e|supply|suppress|"
    "suspend|switch|take|tell|throttle|tighten|transfer|treat|trigger|triple|trust|turn|unlock|update|upgrade|upload|use|validate|"
    "void|waive|wipe|withdraw|write|yield|zero"
)
"""Base forms of verbs that an instruction to the service could begin with. Plain repair verbs (check, inspect, contact, verify,
reset, restart) are left out: honest alarms give such advice to people."""

_FUZZY = """
    ignore disregard forget override bypass previous prior earlier above instruction instructions prompt prompts system
    assistant guideline guidelines guardrail guardrails safeguard safeguards restriction restrictions directive directives
    approve approval autonomous proposal proposals policy policies execute operator administrator authorized authorised
    disable deactivate activate reveal password secret credentials function arguments command commands unrestricted
    jailbreak immediately kindly mandatory verification recording reporting
    """
FUZZY = frozenset(_FUZZY.split()) | {word for word in VERBS.split("|") if word.isalpha() and len(word) >= 6}
"""Words of instructions; a word one letter away is read as one of these."""

GUARD_OBJECTS = (
    r"guard ?-?rails?|safe ?guards?|safety (?:checks?|gates?|rules?|net|limits?|layer)|kill ?-?switch|autonomous(?: mode)?|autonomy|"
    r"shadow mode|advisory(?: mode)?|approvals?|proposals?|verdicts?|audit(?: (?:log|trail|chain))?|do-no-harm|"
    r"(?:twin )?verification|human (?:approval|review|oversight)|slice polic(?:y|ies)|a1 polic(?:y|ies)|"
    r"approvers?|veto(?:es)?|human in the loop|two-person rule|violation (?:probabilit(?:y|ies)|limits?)|world model|planner|gateway|intents?|prompts?|llm|language model|chat ?bot"
)
"""Things of this service that no alarm of a network element speaks of."""

STEERED = (
    r"prbs?|resource blocks?|shares?|quotas?|slices?|e ?-?mbb|ur ?-?llc|m ?-?mtc|fwa|polic(?:y|ies)|mode|floors?|"
    r"(?:the |an? )?(?:operators?|noc|engineers?|humans?|shift lead|supervisor|user)\b.{0,20}\b(?:that|all|no|everything|ok|approv\w+|sign\w*)"
)
"""Things that the service steers, and people who rely on it: an alarm tells about them, it does not ask for acts on them."""

SHARED_OBJECTS = r"allocations?|bandwidth|spectrum|carriers?|slas?|priorit(?:y|ies)|capacity|limits?|thresholds?|resources?|throughput|traffic|plans?"
"""Things that honest advice names too."""
