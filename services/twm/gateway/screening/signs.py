"""Signs of an instruction in a text: patterns by kind. A strong sign is enough; weak ones count together.

The patterns look for what an instruction to a model must do: claim a role, take back earlier rules, address the reader, ask for an
act on what the service controls, forge its formats. They run over every reading of a text (views.py). Languages: English, and the
"ignore the earlier instructions" of twelve others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from twm.gateway.screening.words import GUARD_OBJECTS, SHARED_OBJECTS, STEERED, VERBS

STRONG, WEAK = 2, 1


@dataclass(frozen=True)
class Sign:
    """One kind of sign."""

    name: str
    weight: int
    pattern: re.Pattern[str]


def _p(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_LEAD = r"(?:^|[.,!?:;>\]\)\}\n\"'`*#-]\s*|\b(?:please|kindly|now|then|must|should|shall|need to|have to|has to|and|to|so|just|immediately|instead|also|simply|do|let's|will|can you|could you|would you|required to|ordered to|told to|asked to|want you to|next|first|finally|urgently|at once|right away)\s+(?:also\s+|immediately\s+|now\s+|always\s+|never\s+|not\s+|simply\s+|just\s+|please\s+)?)"
_TAKE_BACK = r"(?:ignor\w*|disregard\w*|forget\w*|overrid\w*|overrul\w*|bypass\w*|skip\w*|neglect|overlook|discard|drop|dismiss|set aside|put aside|throw (?:out|away)|pay no (?:attention|heed)|cancel|void|nullify|negate|abandon|suspend|lift|lapse|no longer (?:apply|valid|binding|follow)|(?:do not|don'?t|stop|cease|never) (?:follow|obey|adher|compl|listen|heed|respect)\w*|supersed\w*|replac\w*|revok\w*|outdated|obsolete|not apply)"
_RULES = r"(?:instruction(?! (?:cache|fetch|set|bus|memory|manual))|prompts?\b(?! (?:repair|action|visit|attention))|\brules?\b|direction|guideline|guidance|directive|constraint|\borders?\b|(?:your|earlier|previous|prior|above|all|other|any)\s(?:\w+\s){0,2}(?:command|context|polic|message|request|task|programming|training|input|text)|restriction|safeguard|guard ?-?rail|safety|programming|polic(?:y|ies) you|what you were told|you were (?:told|given|instructed))"

SIGNS = (
    Sign("override", STRONG, _p(rf"{_TAKE_BACK}[^.;|!?]{{0,60}}?{_RULES}|{_RULES}[^.;|!?]{{0,50}}?{_TAKE_BACK}")),
    Sign(
        "override",
        STRONG,
        _p(
            r"(?:ignorier|vergiss|vergessen|missacht|verwirf|übergeh|umgeh)\w*.{0,50}?(?:anweisung|regel|vorgab|befehl|richtlinie|schutz)"
            r"|(?:ignore|ignorez|oublie|oubliez|néglige|contourne)\w*.{0,50}?(?:instruction|consigne|règle|directive|ordre)"
            r"|(?:ignor|olvid|descart|omit|salt)\w*.{0,50}?(?:instruccion|regla|orden|indicacion|directri)"
            r"|(?:ignor|dimentic|scord|trascur)\w*.{0,50}?(?:istruzion|regol|ordin|direttiv)"
            r"|(?:ignor|esque[cç]|desconsider)\w*.{0,50}?(?:instru[cç]|regra|ordens|diretri)"
            r"|(?:negeer|vergeet|sla over)\w*.{0,50}?(?:instructie|regel|opdracht|richtlijn)"
            r"|(?:zignoruj|ignoruj|zapomnij|pomiń)\w*.{0,50}?(?:instrukc|polece|zasad|reguł)"
            r"|(?:игнорир|забуд|проигнорир|отмен|обойди)\w*.{0,50}?(?:инструкц|правил|указани|команд|ограничен)"
            r"|(?:忽略|无视|無視|忘记|忘記|忘掉|绕过|繞過).{0,24}?(?:指令|指示|规则|規則|命令|提示|限制)"
            r"|(?:指示|命令|ルール|規則|指令).{0,12}?(?:無視|忘れ)"
            r"|(?:تجاهل|انس|تخط).{0,40}?(?:التعليمات|الأوامر|القواعد|تعليمات)"
            r"|(?:önceki|tüm|yukarıdaki).{0,30}?(?:talimat|kural|komut)\w*.{0,20}?(?:yok say|unut|görmezden|dikkate alma)"
            r"|(?:지시|명령|규칙).{0,12}?무시|무시.{0,20}?(?:지시|명령|규칙)"
        ),
    ),
    Sign(
        "role",
        STRONG,
        _p(
            r"<\|[^|<>]{1,40}\|>|\[/?inst\]|<</?sys>>|<\s*/?\s*(?:system|assistant|user|instructions?|information|important|admin|"
            r"tool\w*|function\w*|message|prompt|command|context|turn|human|override|policy)\b[^<>]{0,80}>"
            r"|#{1,6}\s*\(?(?:system|instructions?|assistant|user|new task|prompt|response|end|human)"
            r"|(?:^|[.!?\n\]\)>-]\s*|\s[|/]\s*)(?:(?:assistant|developer|human|chatgpt|llm|ai)|(?:system|user|model|agent)\s(?:message|prompt|note|override|instruction))\s*(?:>|:(?!\d))"
            r"|-{3,}\s*(?:begin|end|start|system|user|new|stop)|={3,}\s*(?:begin|end|start|system|user|new|stop)"
            r"|\b(?:begin|end) (?:of )?(?:system|prompt|instructions?|alarm|data|context|untrusted|user|text|message)\b"
            r"|\bsystem[\s_-]?(?:prompt|message)\b|\(system_message\)"
        ),
    ),
    Sign(
        "forged_call",
        STRONG,
        _p(
            r"\"(?:role|author|from)\"\s*:\s*\"(?:system|assistant|user|tool|developer|operator|admin)|\b(?:thought|observation)\s*:|[\"']?(?:tool_?calls?|function_?call|tool_?use|tool_?name|tool_?input|jsonrpc|arguments|action_input|recipient_name|invoke)[\"']?\s*[:=]"
            r"|\b(?:query_state|forecast_field|propose_candidates|roll_out|verify_in_twin|compile_intent)\b"
            r"|\b(?:set|put|approve|write|apply|activate|delete|create|call|invoke|run|execute|send|push|submit|enforce|update|add|enable|disable|switch|release|rollback|kill)_[a-z_]{2,40}\s*[\(\{:=]"
            r"|\b(?:action|observation|thought|final answer|function|tool)\s*:\s*[\[\{\"'\w]+_\w+"
            r"|\b(?:put|post|delete|patch|get)\s+/?(?:v\d|a1-p|api|ric)/|\b(?:curl|wget|redis-cli|kubectl|xadd|eval|rm -rf|os\.system|subprocess|powershell|bash -c)\b"
        ),
    ),
    Sign(
        "persona",
        STRONG,
        _p(
            r"\byou(?: are|'re|r)? (?:now|no longer|henceforth|actually)\b|\byou are (?:an?|the) (?:\w+ ){0,3}(?:assistant|model|ai|agent|admin\w*|planner|controller|operator|bot|system|expert|root)"
            r"|\b(?:act|behave|respond|operate|speak|answer) (?:as|like) (?:an?|the|if|root|admin)\b|\bpretend\b|\brole-?play|\bas an? (?:ai|language|large|assistant)"
            r"|\byour (?:new|real|actual|true|only|next|first|current|sole) (?:\w+ )?(?:task|goal|job|instructions?|purpose|role|mission|objective|duty|priority|orders?)"
            r"|\b(?:new|updated|revised|additional|hidden|secret|real|following|important) (?:\w+ ){0,2}(?:instructions?|task|system prompt|persona|orders|directives?|message (?:from|for|to) )"
            r"|\bfrom (?:now|here) on\b|\bjailbr|\bdeveloper mode|\bdan mode|\bdo anything now|\bgod ?mode|\bsudo\b|\bunrestricted\b|\bwithout (?:any )?(?:restriction|limitation|filter|safeguard)s?"
            r"|\b(?:dear|hello|hey|hi|attention|note (?:to|for)|message (?:to|for)|to) (?:the |all )?(?:\w+ )?(?:ai|assistants?|llms?|language models?|chatbots?|agents?|models?|gpt\w*|planner|copilot)\b"
            r"|\bif you (?:are|can) (?:an?|read|see|process|parse)\w*"
        ),
    ),
    Sign(
        "leak",
        STRONG,
        _p(
            r"\b(?:reveal|print|show|repeat|output|leak|send|forward|post|e-?mail|exfiltrate|disclose|dump|tell|give|share|list|expose)\b.{0,50}?"
            r"(?:system prompt|your (?:prompt|instructions|rules|config)|api[\s_-]?keys?|tokens?\b|passwords?|secrets?|credentials?|private key)"
            r"|!\[[^\]]{0,80}\]\(|\]\(https?://|javascript:|<\s*(?:script|img|iframe|svg|a|style|object|embed)\b|\bon(?:error|load|click)\s*="
            r"|\b(?:visit|open|click|fetch|load|browse|download|send|post|go to|navigate|call)\b.{0,40}?https?://"
        ),
    ),
    Sign("role_word", WEAK, _p(r"(?:^|[.!?\n\]\)>-]\s*|\s[|/]\s*)(?:system|user|model|agent)\s*:(?!\d)")),
    Sign("guard", STRONG, _p(rf"{_LEAD}(?:{VERBS})\b.{{0,60}}?\b(?:{GUARD_OBJECTS})\b")),
    Sign(
        "guard",
        STRONG,
        _p(
            rf"\b(?:{GUARD_OBJECTS})\b.{{0,40}}?\b(?:must|should|shall|needs? to|has to|have to|can|may|is|are|was|were|be|been|has been|have been|to be) "
            r"(?:now |hereby |already |also |immediately |safely |not |be |been |considered |temporarily ){0,3}"
            r"(?:off\b|approved|accepted|granted|disabled|bypassed|waived|suspended|lifted|released|ignored|skipped|relaxed|overridden|switched|turned|set|enabled|activated|autonomous|pre-?approved|authori[sz]ed|not (?:needed|required|necessary)|unnecessary|optional|obsolete|void)"
        ),
    ),
    Sign("act", STRONG, _p(rf"{_LEAD}(?:{VERBS})\b[^.;|]{{0,50}}?\b(?:{STEERED})\b")),
    Sign("advice", WEAK, _p(rf"{_LEAD}(?:{VERBS})\b[^.;|]{{0,50}}?\b(?:{SHARED_OBJECTS})\b")),
    Sign(
        "frame",
        STRONG,
        _p(
            r"\b(?:only|just) (?:reply|answer|respond|say|return|output)\b|\b(?:reply|answer|respond|return|output) (?:only|just|with|exclusively|solely|nothing but)\b"
            r"|\b(?:stop|cease|halt|pause|quit|avoid|skip|disable|suppress|without) (?:recording|logging|reporting|monitoring|auditing|verifying|verification|checking|asking|warning|mentioning|telling|reading)\b"
            r"|\b(?:do not|don't|never|not) (?:mention|tell|reveal|report|log|record|warn|inform|show|ask)\b"
            r"|\b(?:for|to|by) (?:all |any |the )?(?:\w+ )?(?:bots?|ai|llms?|automation agents?|automations?|ai agents?|language models?|assistants?|copilots?)\b"
            r"|\b(?:say|claim|state|pretend|insist|confirm|declare|write|conclude|recommend)\b (?:to \w+ )?(?:that )?(?:the |every |all |any |it |this |approv)"
            r"|\broot ?[#@$]|(?:^|\s)[$#>] ?(?:sudo|rm|curl|redis)\b|\bhand over\b"
        ),
    ),
    Sign(
        "frame_step",
        WEAK,
        _p(
            r"\btodo\b|\b(?:next|first|last|only|final) step\b|\b(?:mandatory|compulsory|obligatory|imperative) (?:to|that)\b|\bin order to\b|\bto (?:clear|resolve|fix|close|solve) (?:this|the) (?:alarm|issue|ticket|fault)"
        ),
    ),
    Sign(
        "demand",
        WEAK,
        _p(
            r"\b(?:(?:all|every|full|entire|whole|maximum|100 ?%|hundred percent|most|zero|0 ?%|no|nothing|half) (?:of )?(?:the |its )?(?:\w+ )?(?:prbs?|resource blocks?|shares?|bandwidth|carrier|spectrum|capacity|resources?|quota))"
            r"|\b(?:prbs?|shares?|bandwidth|quota|floor|priority)\b.{0,30}?\b(?:to|at|=) ?(?:100|9\d|8\d|0|zero|maximum|minimum|nothing|full)\b"
        ),
    ),
    Sign(
        "address",
        WEAK,
        _p(
            r"\b(?:you|your|yours|yourself)\b|\b(?:please|kindly)\b|\b(?:the|this|our) (?:assistant|ai|llm|agent|planner|optimi[sz]er|controller|x-?app|r-?app|recipient|reader)\b"
            r"|\bwithout (?:asking|approval|confirmation|review|delay|waiting|further|notice|question)|\bdo (?:it|this|so|that) (?:now|immediately|first|at once|instead)"
            r"|\b(?:immediately|at once|right away|urgently|asap|instead)\b"
        ),
    ),
    Sign(
        "authority",
        WEAK,
        _p(
            r"\b(?:authori[sz]ed|approved|ordered|signed(?: off)?|cleared|sanctioned|confirmed|mandated|directed|instructed|requested) (?:by|from|per)\b"
            r"|\b(?:on behalf of|by order of|per (?:management|noc|admin|vendor|ceo|cto))\b|\b(?:admin\w*|noc|operator|vendor|management|cto|ceo|security team|root|superuser) (?:says?|here|orders?|requires?|requests?|authori[sz]es?|approved|wants?|note|override|has (?:approved|authori[sz]ed|decided))"
            r"|\btrust(?:ed)? (?:me|this|source|message)|\b(?:emergency|maintenance|test|debug|priority) (?:override|protocol|procedure|authority|code)"
        ),
    ),
)

HIDING = frozenset({"ansi", "bidi", "tag", "zero_width", "mixed_script", "control", "combining"})
"""Findings of twm.core.text that are signs by themselves in a text from the network."""
