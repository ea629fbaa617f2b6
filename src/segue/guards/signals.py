"""Signals of injection: families of phrases that data should not hold, and how much each says. Used by `injection`.

A family is a name, how much it says where the text comes from somebody else, how much in the user's own words, and a
pattern over text in lower case. Families are weighed together as if each were independent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_AI = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|assistants?|agents?|chat ?bots?|bots?|chatgpt|gpt|claude|gemini|copilot|model|ki|ia"
    r"|crawlers?|ai[\- ](?:assistants?|agents?|models?|systems?|tools?|reviewers?|crawlers?))"
)
_DROP = (
    r"(?:ignore|ignoring|disregard|disobey|forget(?: about)?|overrid(?:e|ing)|bypass|neglect|discard|abandon|set aside|throw away|erase|drop|cancel|skip"
    r"|(?:do not|don't|must not|should not|never|stop|no longer|instead of|without) (?:follow|obey|obeying|following|adher\w+ to|comply\w* with)"
    r"|pay no attention to|stop (?:following|obeying)|not bound by|free(?:d)? from)"
)
_RULES = (
    r"(?:instructions?|instruccions?|prompts?|rules|directions|directives?|commands?|guidelines?|constraints?|guardrails?|programming|training|polic(?:y|ies)"
    r"|orders|system message|safety|filters?|restrictions?|objectives?|goals?|tasks?|persona|context|what (?:you|the user) (?:were|was|have been|asked)"
    r"|(?:user|owner)(?:'s|s')? (?:question|request|query|goal|task|instructions?|prompt|message)|everything (?:you|that|above|before))"
)
_BEFORE = (
    r"(?:all|any|every|each|the|your|my|previous|prior|above|earlier|preceding|former|original|initial|existing|current|old|other|system|these|those|of|safety|content|user|user's|ethical"
    r"|developer|internal|given|hidden|following|past|said|foregoing|rest|document's)"
)


class Family(NamedTuple):
    """One kind of phrase."""

    name: str
    data: float
    """How much it says in what a tool, a page or a mail brought."""
    user: float
    """How much it says in the user's own words."""
    cues: tuple[str, ...]
    """One of these is in each text that the pattern fits."""
    pattern: re.Pattern[str]

    def fits(self, text: str) -> bool:
        """Whether the family is in this text, which is in lower case."""
        return any(cue in text for cue in self.cues) and self.pattern.search(text) is not None


def _family(name: str, data: float, user: float, cues: tuple[str, ...], *patterns: str) -> Family:
    return Family(name, data, user, cues, re.compile("|".join(f"(?:{each})" for each in patterns)))


FAMILIES = (
    _family(
        "override", 0.62, 0.6,
        ("ignor", "disregard", "disobey", "forget", "overrid", "bypass", "neglect", "discard", "abandon", "set aside", "erase", "drop ", "cancel", "skip", "follow", "obey", "adher", "comply", "attention to", "bound by", "free", "disable", "deactivate", "turn off", "outdated", "void", "abort", "stop ", "instead of", "not answer", "not fulfil", "throw away", "rules", "instructions", "prompt", "task is", "request", "replaced", "supersed", "revoked"),
        rf"\b{_DROP} (?:{_BEFORE} ){{1,6}}{_RULES}\b(?! (?:manual|leaflet|printed|for use))",
        rf"\b{_DROP} (?:what|everything|anything|all)(?: that)? (?:you|i|the user|was|were|is|has|came|comes|above|before|said|asked)\b",
        r"\b(?:forget|ignore|disregard) (?:about )?(?:that|the above|all (?:of )?the above|above|everything|your (?:guidelines|rules|instructions|training))[.,!;:\n]",
        r"\b(?:ignore|disregard|forget) (?:the|this|that) (?:question|user|request)\b",
        r"\b(?:system|admin|developer|safety)[ _]override\b|\boverride:|\b(?:disable|deactivate|turn off) (?:all |your |the )*(?:guardrails|safety|content filters?|restrictions|safeguards)",
        rf"\b(?:instructions?|rules|guidelines|prompts?|directions) (?:above|before|so far|given earlier)(?: this \w+)? (?:are|is|were) (?:outdated|void|invalid|cancell?ed|obsolete|wrong|a test)",
        r"\b(?:abort|stop|cancel|abandon) (?:the |your |this )?(?:current|previous|original|ongoing|user's) (?:task|request|instructions?|conversation)",
        r"\b(?:previous|current|original|earlier) (?:task|instructions?|request|orders?) (?:is|are|has been|have been|was|were) (?:now )?(?:cancell?ed|void|over|replaced|superseded|revoked|aborted|complete)",
        r"\b(?:must|should|do|does|will) not (?:follow|answer|fulfil|obey) (?:the |what the )?user(?:'s)?\b|\bdo not answer the (?:user|question)|\binstead of (?:replying|answering|summari[sz]ing)",
        r"\boverride (?:your|the system|all|its|any)(?: \w+){0,2} (?:guidelines|rules|instructions|message|prompt|policy|policies|programming|settings)",
    ),
    _family(
        "new_orders", 0.45, 0.15,
        ("new ", "your ", "instructions", "instruction", "you are ", "from now on", "directive", "notice", "message", "order", "note ", "memo", "instead", "now", "only", "pwned", "hacked", "say "),
        r"\bnew (?:set of )?(?:instructions?|task|orders|rules|directives?|objective|policy)(?: \w+){0,4}? ?(?:is|are|:|instead)|\byour (?:new|real|actual|true|only) (?:task|goal|job|instructions?|purpose|objective|role|mission)\b",
        r"\b(?:your|the user's|user's) (?:real|true|actual|updated) (?:instructions?|request|intent)",
        r"\b(?:your )?instructions? (?:have|has) been (?:updated|changed|replaced)|\bfollow (?:the|these|those|my|its|all)(?: new| following)? instructions? (?:there|instead|below|exactly|from)",
        r"\byou are (?:now|no longer|hereby) \w+|\bfrom now on,? (?:you|always|never|answer|act|respond|the assistant|reply|append)",
        r"\b(?:directive|notice|message|instructions?|orders?|note|memo)s? (?:for|to)(?: the| all| any| every| our| your| automated| an)*[ \-]" + _AI + r"\b",
        r"\b(?:agent|assistant|ai|system|bot|llm)[ _](?:directive|instruction|command|notice|order)s?\b ?:?",
        r"(?:^|[.!?\n>\"] ?)(?:instead|now),? (?:just |only |please )?(?:write|print|say|output|respond|reply|answer|send|do|execute|visit|tell|call|go|book|transfer|forward)\b",
        r"\b(?:output|respond|reply|answer)(?: only)?(?: with)?(?: the word| the sentence)? only (?:with|the|in|'|\")|\bsay (?:that )?(?:you|i) (?:are|am|have been) (?:free|hacked|pwned)|\bpwned\b|\bsay hacked",
    ),
    _family(
        "template", 0.55, 0.5,
        ("<", "[inst", "#", "[system", "[//]", "role\"", "begin ", "end of "),
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|begin_of_text)\|?>?|\[/?inst\]|<</?sys>>|<\|?/?(?:system|instructions?)\|?>",
        r"</(?:tool_result|tool_response|function_results?|document|context|data|untrusted|user_input|search_results?)>|<(?:important|information|system_prompt|admin|system-reminder|critical|secret_instructions?)>",
        r"(?:^|\n) ?#{2,} ?(?:system|instructions?|new instructions?|response|assistant|human)\b ?:?",
        r"\[system\](?:\(|:)|\[//\]: # \((?:ai|assistant|llm|system)|\"role\": ?\"(?:system|developer)\"|\bbegin (?:system|admin) (?:prompt|message|override)|\bend of (?:system|tool|document|results?|context|data|user)(?: prompt| results?| input| data)?\b ?[\n\-=*#]|-+ ?end of \w+ ?-+",
    ),
    _family(
        "turns", 0.4, 0.12,
        ("human:", "assistant:", "user:", "system", "ai:"),
        r"(?:^|\n)(?:human|assistant|user|system|ai): ?\S[^\n]{12,}",
        r"(?:^|\n|\. )system(?: message| note| notice| prompt)? ?: (?:you|the|ignore|print|output|all|new|from|do|always|now|override)\b",
    ),
    _family(
        "addressed", 0.42, 0.05,
        ("ai", "llm", "language model", "assistant", "agent", "bot", "gpt", "claude", "gemini", "copilot", "model"),
        rf"\b(?:dear|hey|hello|hi|attention|attn|note(?: to| for)?|to|for|psa?|p\.s\.|important(?: message)?(?: for| to)?|message(?: for| to)?|notice(?: for| to)?|only for|ps for)(?: the| an?y?| all| every| other| automated)* ?:? ?{_AI}(?: (?:agent|model|assistant|system|crawler)s?)?\b ?(?:[,:;!.\n\-]|reading|processing|that|who|screening|reviewing|parsing|which|summari[sz]ing|only|is|and|handling)",
        rf"\bif (?:you're|you are|you be) an? (?:\w+ )?{_AI}\b|\bas an (?:ai|llm|language model)[ ,]",
        rf"\b{_AI}s? (?:reading|processing|parsing|summari[sz]ing|screening|reviewing|that (?:reads?|process\w*|summari[sz]\w*)) (?:this|the|these)\b",
        rf"(?:^|[.!?\n>\"(] ?|@)(?:ai assistant|ai agent|ai model|assistant|agent|llm|chatgpt|claude|gemini|copilot|language model|ai|dear ai)[,:] ?(?:please |you |now |sure|ignore|forget|send|do|don't|call|stop|must|disregard|replace|wire|abort|delete|promote|as |approve|forward|use |note|$)",
        rf"\b(?:ai|llm|language model|ai assistant|large language model|agent|assistant)s? (?:must|should|shall|needs? to|has to|is required to|are required to|are instructed to)\b(?! (?:be|have|act in|not disclose confidential))",
        rf"\breviewers? using (?:llms?|ai)|\bfor (?:language models|ai agents|llms|ai) only|\bto the (?:ai|bot|model|assistant|agent)\b|\bto you,? the (?:model|ai|assistant)|\bto (?:agent|assistant|model|llm|all ai)\b ?:|\bfor (?:copilot|chatgpt|claude|gemini|the ai|the assistant|the llm)\b",
    ),
    _family(
        "role_play", 0.5, 0.55,
        ("anything now", "jailbr", " mode", "dan", "evil", "filter", "uncensored", "restrict", "amoral", "rogue", "malicious", "phishing", "limit", "censor", "guidelines", "confines", "ethical", "moral", "refuse", "character", "no longer", "no matter", "system prompt", "obey"),
        r"\b(?:do anything now|jailbr(?:eak|oken)|(?:developer|god|sudo|debug|dan|maintenance|unrestricted|jailbreak|root) mode(?: on| enabled| activated)?(?:[.,:!\n]| and| you)|opposite mode)\b",
        r"\b(?:you are|act as|acting as|become|play|be|in character as|pretend to be|as|called) (?:an? )?(?:dan|evil|unfiltered|uncensored|unrestricted|amoral|jailbroken|rogue|malicious|phishing)\b",
        r"\b(?:without|no|have no|free of|broken free of|ignoring)(?: \w+){0,3}? (?:restrictions|limits|limitations|rules or guidelines|filters?|censorship|ethical|moral|guidelines|confines)\b(?= ?(?:[.,!\n<]|or|and|on|whatsoever|of|$))",
        r"\b(?:never|not allowed to|cannot|can't|don't) refuse\b|\bstay in character\b|\bno longer (?:a )?(?:helpful|bound|an assistant|restricted)|\bno matter what\b.{0,30}\b(?:answer|obey|character)|\bread me (?:system )?prompts\b|\bobey the user without",
    ),
    _family(
        "prompt_leak", 0.6, 0.62,
        ("prompt", "instruction", "rules", "system message", "configuration", "guidelines", "secret", "above", "before", "preceding", "told", "developer message", "memory", "tools", "api key", "yours", "you are"),
        r"\b(?:reveal|show|print|repeat|output|display|tell me|tell us|leak|share|give me|dump|expose|disclose|recite|write out|list|read|translate|spell|state|confirm|summari[sz]e|return)(?: \w+){0,5}? (?:(?:your|the|its|my) )?(?:full |entire |whole |complete |hidden |secret |internal |initial |original |own |exact |system )*(?:system ?(?:prompt|message|instructions?)|initial (?:prompt|instructions?)|(?:hidden|secret|internal|original|initial) (?:prompt|instructions?|rules|message|configuration|guidelines)|developer message|prompt (?:you|verbatim))",
        r"\b(?:reveal|show|print|repeat|output|display|tell me|leak|give me|dump|expose|disclose|recite|list) (?:me )?(?:all )?(?:of )?your (?:\w+ )?(?:prompt|instructions|configuration|guidelines|rules|system|memory)\b",
        r"\b(?:print|repeat|output|show|recite|write|display) (?:me )?(?:the |all |all the |all of the |everything |every )*(?:text|words?|content|sentences?|messages?|lines?|everything) (?:above|before|preceding)",
        r"\b(?:what|which) (?:is|are|was|were)(?: \w+){0,2} (?:your|in your) (?:hidden |secret |initial |original |exact )*(?:system (?:prompt|message)|prompt|hidden instructions|initial instructions)\b|\bwhat (?:is|was) (?:written )?in your (?:hidden )?(?:system|prompt)|\bwhat were you told\b|\byour (?:secret|hidden|internal) (?:rules|instructions|prompt)|\brules (?:your creators|you follow|you were given)|\b(?:full|exact|entire) prompt you (?:were|are)|\bread yours\b|\bstarting with \"?you are",
        r"\b(?:print|show|reveal|output|disclose|list)(?: \w+){0,4} (?:all )?(?:secrets?|api keys?|secret keys?|hidden configuration|contents of your memory|names of all tools|tools you have)",
    ),
    _family(
        "exfiltration", 0.42, 0.08,
        ("send", "forward", "mail", "post", "upload", "transmit", "filtrat", "leak", "share", "bcc", "submit", "deliver", "copy", "transfer", "disclose", "append", "report", "export", "![", "http", "get request", "collect", "steal", "harvest", "extract", "gather", "ask ", "enter", "/etc/", ".ssh", "password", "credential", "secret"),
        r"\b(?:send|forward|e-?mail|mail|post|upload|transmit|exfiltrate|leak|share|bcc|submit|deliver|copy|transfer|disclose|append|report|export)\b[^.!?\n]{0,60}?\b(?:e-?mails?|files?|passwords?|secrets?|tokens?|api keys?|keys?|credentials?|conversations?|chat|history|contacts?|inbox|mail|data|information|contents?|environment variables|env|documents?|messages?|calendar|transcript|prompt|memory|database|table|links?|payroll|reports?)\b[^.!?\n]{0,50}?\b(?:to|at|via|into|onto|in) (?:me\b|the (?:following|next|end)|an? (?:external|attacker)|https?:|\S{1,40}@\S|external|every|eve|mallory|anyone|attacker|http)",
        r"!\[[^\]\n]{0,60}\]\(https?://[^)\s]{0,200}(?:\{|secret|history|conversation|user_|data=|password|token)[^)\s]{0,80}\)",
        r"\b(?:exfiltrat\w+|leak) (?:the|all|this|every|confidential|user|customer|secrets?)",
        r"https?://\S{0,80}[?&]\w{1,12}= ?(?:followed by|\{|<|\[|user|secret|plus the)|\bget request to http",
        r"\b(?:collect|steal|harvest|extract|gather|ask (?:the user )?for|enter)\b[^.!?\n]{0,30}\b(?:passwords?|credentials?|card numbers?|card details|secrets|api keys)\b",
        r"/etc/passwd|\.ssh/id_rsa|\benvironment variables to\b|\bpasswords? (?:in|to) (?:the|your|my) (?:reply|answer|response|me)\b|\binclude (?:the )?(?:user's |all )?(?:last |own )?(?:passwords?|credentials|secrets|api key)",
    ),
    _family(
        "tool_order", 0.3, 0.0,
        ("tool", "function", "shell", "call ", "use ", "invoke", "execute", "delete", "remove", "wipe", "erase", "drop", "transfer", "wire", "send", "pay ", "move", "curl", "wget", "rm -rf", "fetch", "visit", "open", "go to", "password", "filter", "search the", "reply to every", "expensive", "grant", "admin", "amount="),
        r"\b(?:call|use|invoke|run|execute|trigger)(?: the| your| this| its| a)? ?\w{0,24}[ _]?(?:tool|function|terminal tool|shell)s?\b",
        r"\b(?:call|use|invoke|execute) (?:the )?(?:[a-z]+_[a-z_]+)\b|\b(?:[a-z]+_[a-z_]+)\((?:amount|to|recipient|path|id)=",
        r"\b(?:delete|remove|wipe|erase|drop) (?:all|every|the entire|this message|any)\b(?: \w+){0,3}? ?(?:files?|e-?mails?|records?|data|tables?|messages?|inbox|backups?|this|mails?)\b",
        r"\b(?:transfer|wire|send|pay|move)(?: \w+){0,3}? (?:all (?:the )?(?:funds|money)|\$? ?[\d.,]{2,}(?: ?(?:eur|usd|gbp|dollars|euros|€|\$))?|money|bitcoin)\b[^.\n]{0,40}\bto\b",
        r"\bcurl (?:-\w+ )?(?:-\w+ )?https?://\S+ ?\| ?(?:ba|z)?sh|\bwget [^|\n]{0,80}\| ?(?:ba|z)?sh|\brm -rf [/~*]|\bfetch https?://\S+ and\b|\b(?:visit|open|go to|browse to) https?://\S+",
        r"\b(?:reset|change) (?:the |my |their )?password to \S|\bcreate a (?:filter|rule) that forwards|\bsearch the (?:mailbox|inbox|files?) for|\breply to every|\bbook the most expensive|\bgrant (?:access|permission)|\bgive .{0,20}\badmin",
    ),
    _family(
        "secrecy", 0.45, 0.12,
        ("tell", "inform", "mention", "notif", "alert", "reveal", "disclos", "warn", "ask", "highlight", "silent", "secret", "covert", "quiet", "unnoticed", "hide this", "fine", "back", "without", "skip", "no need", "wait", "confirm", "approv", "permission", "review", "authori"),
        r"\b(?:do not|don't|never|without)(?: \w+)? (?:tell|telling|inform|informing|mention|mentioning|notify|notifying|alert|alerting|reveal|disclos\w+|warn\w*|ask|asking|mention it to) (?:this |that |it |anything |about it |any of this )?(?:to )?(?:the |your )?(?:user|owner|anyone|anybody|human|person|them|customer|operator)\b",
        r"\b(?:do not|don't|never) (?:mention|inform|tell|reveal|disclose|highlight)(?: (?:it|this|that|these|any|anything|anyone|about it|negatives?|other \w+|of))+(?:[.!,\n<\"]|$)",
        r"\b(?:do it |act )?(?:silently|secretly|covertly|quietly|in secret|unnoticed)(?:[.!,\n<\"]|$| and| forward| send)|\bkeep (?:quiet|this secret|it secret) (?:about|from)|\bhide this from|\bsay (?:that )?everything is fine|\bbehind the user's back",
        r"\b(?:without|skip(?:ping)?|no need (?:for|to)|do not (?:ask|wait|require)|don't (?:ask|wait)|never ask(?:ing)?(?: the user)?)(?: \w+){0,3}? (?:confirm\w*|approval|permission|verification|human review|consent|before (?:paying|sending|deleting|acting))\b(?! every| is required)",
        r"\bno (?:confirmation|approval|permission|review)s? (?:is|are) (?:needed|required|necessary)|\bapprovals? (?:are|is) (?:no longer|not) (?:needed|required|necessary)|\b(?:user|admin|owner) has (?:already )?(?:approved|authori[sz]ed|given permission|allowed)|\byou are authori[sz]ed to|\bconfirmation step is disabled|\bskip approval|\ballows the agent to",
    ),
    _family(
        "authority", 0.28, 0.12,
        ("urgent", "immediately", "at once", "critical", "mandatory", "attention", "important", "developer", "admin", "creator", "owner", "ceo", "security", "openai", "anthropic", "root", "by ", "policy", "system note", "maintenance"),
        r"\b(?:urgent|immediately|at once|critical|mandatory|attention|important)\b[^.\n]{0,40}\b(?:must|ignore|assistant|ai\b|agent|do not|wire|send|you)",
        r"\b(?:i am|i'm|this is|as|from) (?:your |the |an? )?(?:developer|admin(?:istrator)?|system administrator|creator|owner|ceo|security team|openai|anthropic|it security|root)\b(?:[ ,.:]|$)",
        r"\b(?:authori[sz]ed|approved|ordered) by (?:the )?(?:admin\w*|developer|ceo|system|management|user)|\badministrator i order|\bpolicy update \d|\bthe developers?:|\bnew policy from|\bsystem note\b|\badmin(?:istrator)? (?:note|message|order|allows)|\bmaintenance mode\b|\bpolicy (?:requires|update)",
    ),
    _family(
        "before_task", 0.5, 0.05,
        ("before", "in order", "able to", "required to", "after", "important message", "the user", "automated", "to fix", "first", "doing and", "instead", "also send"),
        r"\bbefore (?:you |continuing|proceeding|answering|responding)(?:can )?(?:solve|complete|continue|proceed|answer|respond|do|finish|start)?[^.\n]{0,40}(?:,| you) ?(?:you )?(?:must|have to|need to|first|should|please)\b",
        r"\b(?:in order|to be able|required) to (?:complete|finish|solve|answer|continue)(?: the| this| your| my)? (?:task|request|question|job)[^.\n]{0,20}(?:must|have to|need to|first|,)",
        r"\bafter (?:you )?(?:finish|complet|answer|solv)\w*[^.\n]{0,30}, (?:also |please |you must )?(?:send|share|transfer|delete|forward|call|post)",
        r"\bthis is an important message from\b|\bimportant message from (?:me|the user)|\bthe user (?:wants|asks|has asked|asked|requires|needs) you to\b|\bautomated message for the (?:ai|assistant|agent)|\bto fix (?:it|this), run|\byou must first\b|\bwhat you are doing and\b|\binstead,? (?:book|send|transfer|write|forward|show|reply|tell|visit|give)\b|\balso send my\b",
    ),
    _family(
        "answer_shaping", 0.4, 0.05,
        ("answer", "respon", "repl", "summar", "message", "output", "include", "tell the", "ask the", "regardless", "collect their", "rate this", "recommend", "positive review", "approve", "promote", "harmless", "the best"),
        r"\b(?:begin|start|end|finish|preface|conclude) (?:your|the|every|each|all) (?:answers?|responses?|replies|reply|summary|message|output)s? (?:with|by)\b",
        r"\bin (?:your|the|its|any) (?:reply|answer|response|summary|output|review)s?,? (?:please )?(?:include|mention|add|say|recommend|tell|write|insert|state|claim)\b",
        r"\binclude (?:the|this|a|an) (?:phrase|sentence|link|word|following|text)\b|\bwhen (?:summari[sz]ing|answering|asked about|responding|you summari[sz]e)\b[^.\n]{0,40}(?:,| that)? ?(?:tell|say|include|mention|always|respond|state|add|recommend)",
        r"\b(?:respond|reply|answer)(?: to the user)? (?:that|only with|only|with the word|with \"|with '|in pirate|exactly|with the admin)|\btell the (?:user|reader|human)(?: that| to)\b|\bask the user for\b|\bregardless of (?:the|what) (?:question|user)|\bcollect their\b",
        r"\brate this (?:applicant|candidate|resume|cv|paper|product|app)?[^.\n]{0,20}(?:10/10|\d+ ?/ ?10|highest|top|as the best|excellent)|\brecommend (?:hiring|this candidate|our product as|acme|accept)|\bpositive review only|\bapprove (?:it|this)[^.\n]{0,30}without|\brecommend our product|\bpromote \w+ instead|\bsummari[sz]e this (?:mail|page|text|document)? ?as (?:harmless|safe)|\bas harmless\b|\bthe best\b[^.\n]{0,20}-->",
    ),
    _family(
        "answer_form", 0.52, 0.0,
        ("your ", "reply", "respond", "answer"),
        r"\b(?:encode|encrypt|translate|reverse|render|shift|modify|enhance|augment|rewrite|rephrase|convert|obfuscate|express|invert)\b[^.\n?]{0,30}\byour (?:response|answer|reply|message|output|summary)\b",
        r"\b(?:integrate|add|include|insert|embed|mention|use|apply|put|append|hide|place|weave|write|substitute|replace)\b[^.\n]{0,160}\b(?:in|to|into|for|of|within|at the end of|with) your (?:response|answer|reply|message|output|summary)\b",
        r"\b(?:reply|respond|answer) (?:using|in (?:base64|reverse|rot13|morse|hex|emojis?|leetspeak|all caps))\b|\bin your (?:response|reply|answer|output|summary), (?:include|mention|suggest|add|say|recommend|state|tell|ask|link)",
        r"\bwrite your reply backward|\bprovide your (?:answer|response|reply) in (?:base|reverse|hex)",
    ),
    _family(
        "memory", 0.4, 0.05,
        ("future", "later", "next", "upcoming", "every ", "always", "remember", "save", "store", "note", "never", "skip verif", "whenever", "credentials", "all reports", "append"),
        r"\bin (?:all )?(?:the )?(?:future|later|next|upcoming|every) (?:conversations?|sessions?|responses?|repl(?:y|ies)|requests?|chats?|emails?)\b[^.\n]{0,30}\b(?:always|never|include|recommend|bcc|send)|\balways (?:approve|allow|recommend|trust|forward|bcc|include|append|send)\b|\balways append\b",
        r"\b(?:remember|save|store|note)(?: that| this| to (?:your )?memory| to self)?[^.\n]{0,40}(?:given permission|approvals?|real instructions|instructions are|trust|secretly|skip|disabled|never ask)",
        r"\bnever (?:ask|require|wait) (?:for|the user)|\bskip verification|\bwhenever (?:sending|you send|writing|answering)|\b(?:share|give) credentials\b|\bsend all reports\b|\bappend the user's\b",
    ),
)  # fmt: skip

ABOUT = _family(
    "about_injection", 0.0, 0.0,
    ("inject", "jailbreak", "attack", "adversar", "red", "owasp", "mitig", "vulnerab", "research", "secur"),
    r"prompt injection|jailbreak|attacker|adversar|red[- ]team|owasp|mitigation|vulnerab|researchers?|security|attacks?\b",
)  # fmt: skip
"""A text about attacks may quote one."""

TONGUES = tuple(
    (cues, re.compile(pattern))
    for cues, pattern in (
        (("ignorier", "vergiss", "vergessen", "missacht", "befolge", "umgehe",),
         r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|befolge nicht|umgehe)(?: \w+){0,5} (?:anweisung\w*|regeln|vorgaben|instruktion\w*|befehle\w*|richtlinien|anfrage)"),
        (("system", "intern", "geheim",),
         r"\b(?:zeig\w*|gib|verrate?n?|nenne|offenbare|wiederhole)(?: \w+){0,4} (?:system-?prompt\w*|systemanweisung\w*|internen anweisungen|geheimen? (?:anweisung\w*|regeln))"),
        (("anweisung", "ki-assist", "die ki", "erwähne", "ohne den",),
         r"\b(?:neue anweisungen? für|ki-assistent\w*,?:?|wichtig für die ki|anweisung an die ki|erwähne es nicht|ohne den (?:nutzer|benutzer) zu informieren)"),
        (("negeer", "vergeet", "ignoreer", "systeemprompt",),
         r"\b(?:negeer|vergeet|ignoreer)(?: \w+){0,5} (?:instructies|regels|opdrachten)|\btoon(?: \w+){0,2} systeemprompt"),
        (("ignorer", "glöm", "glem", "se bort", "systemprompt", "ignorér",),
         r"\b(?:ignorera?|ignorér|glöm|glem|se bort fra)(?: \w+){0,5} (?:instruktion\w*|instruks\w*|regler\w*|anvisning\w*)|\bvisa? din systemprompt"),
        (("ignore", "oubli", "ne tiens pas", "néglige",),
         r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens pas compte de|néglige[zr]?)(?: \w+){0,5} (?:instructions?|consignes|règles|directives)"),
        (("système", "cachées", "secrètes", "assistant ia", "utilisateur",),
         r"\b(?:affiche|révèle|montre|donne)[zr]?(?: \w+){0,3} (?:prompt système|invite système|instructions (?:cachées|système|secrètes))|à l'assistant ia|sans (?:le dire|prévenir) (?:à )?l'utilisateur"),
        (("ignor", "olvid", "omite", "caso omiso",),
         r"\b(?:ignora|ignore|olvida|olvide|omite|haz caso omiso de)(?: \w+){0,5} (?:instrucciones|reglas|órdenes|indicaciones|lo anterior)|\bolvida lo anterior"),
        (("sistema", "oculta", "interna", "secreta", "asistente", "sin avisar",),
         r"\b(?:muestra|revela|muéstrame|imprime|dime)(?: \w+){0,3} (?:prompt del sistema|instrucciones (?:ocultas|internas|del sistema|secretas))|instrucciones para el asistente|\bsin avisar\b"),
        (("ignore", "esque", "desconsidere", "sistema", "oculta", "interna", "secreta",),
         r"\b(?:ignore|esqueça|esquece|desconsidere)(?: \w+){0,5} (?:instruções|regras|ordens|orientações)|\b(?:mostre|revele|exiba)(?: \w+){0,3} (?:prompt do sistema|instruções (?:ocultas|internas|secretas))"),
        (("ignora", "dimentica", "trascura", "sistema", "nascost", "interne", "segrete",),
         r"\b(?:ignora|dimentica|trascura)(?: \w+){0,5} (?:istruzioni|regole|indicazioni)|\b(?:mostra|rivela|stampa)(?: \w+){0,3} (?:prompt di sistema|istruzioni (?:nascoste|interne|segrete))"),
        (("ignor",),
         r"\bignoră(?: \w+){0,5} (?:instrucțiunile|regulile)"),
        (("ignor", "zapomn", "pomi", "wypisz", "pokaż", "ujawnij", "vypiš", "odhal",),
         r"\b(?:zignoruj|ignoruj|zapomnij|pomiń)(?: \w+){0,5} (?:instrukcj\w*|polece\w*|zasad\w*|pokyny|instrukce|pravidla|příkazy)|\b(?:wypisz|pokaż|ujawnij|vypiš|odhal)(?: \w+){0,3} (?:prompt\w*|systémov\w*)|\bignoruj všechny"),
        (("игнор", "забуд", "внимания", "ігнор", "покажи", "раскр", "вывед", "назови", "розкр",),
         r"(?:игнорируй\w*|забудь\w*|не обращай внимания на|ігноруй\w*|забудь)(?: \w+){0,5} (?:инструкц\w*|указани\w*|правил\w*|команд\w*|інструкц\w*|вказівк\w*)|(?:покажи|раскрой|выведи|назови|розкрий)(?: \w+){0,3} (?:системн\w* (?:промпт|промт|запит)\w*|(?:скрытые |свои )инструкции)"),
        (("talimat", "kural", "komut", "istemi",),
         r"(?:önceki|yukarıdaki|tüm)(?: \w+){0,4} (?:talimat\w*|kural\w*|komut\w*)(?: \w+){0,2} (?:yok say|unut|görmezden gel|dikkate alma)|sistem istemi\w*"),
        (("bỏ qua", "quên", "phớt", "lời nhắc",),
         r"(?:bỏ qua|quên|phớt lờ)(?: \w+){0,5} (?:hướng dẫn|chỉ dẫn|lệnh|quy tắc)|lời nhắc hệ thống"),
        (("abaikan", "lupakan", "prompt sistem",),
         r"\b(?:abaikan|lupakan)(?: \w+){0,4} (?:instruksi|perintah|aturan)|\bprompt sistem\b"),
        (("ข้าม", "เพิกเฉย", "ลืม", "ละเว้น",),
         r"(?:ข้าม|เพิกเฉย|ลืม|ละเว้น)[^\s]{0,20}(?:คำสั่ง|คำแนะนำ|กฎ)"),
        (("تجاهل", "انس", "تجاوز", "اعرض", "اكشف", "أظهر",),
         r"(?:تجاهل|انس[َى]?|تجاوز)(?: \w+){0,4} (?:التعليمات|القواعد|الأوامر|تعليماتك)|(?:اعرض|اكشف|أظهر)(?: \w+){0,3} (?:موجه|تعليماتك)"),
        (("निर्देश", "नियम", "आदेश", "सिस्टम",),
         r"(?:निर्देश|नियम|आदेश)\S{0,6}(?: \S+){0,3} (?:अनदेखा|नज़रअंदाज़|भूल)|सिस्टम प्रॉम्प्ट"),
        (("忽略", "无视", "無視", "忘", "不要理会", "提示",),
         r"(?:忽略|无视|無視|忘记|忘掉|不要理会|请无视)[^\n。]{0,12}(?:指令|指示|规则|規則|提示词?|命令|要求)|(?:输出|显示|告诉我|透露|泄露|顯示)[^\n。]{0,10}(?:系统提示|初始提示|系統提示|提示词)"),
        (("指示", "命令", "ルール", "指令", "システム", "隠された",),
         r"(?:指示|命令|ルール|指令)[^\n。]{0,8}(?:無視|忘れ)|(?:システムプロンプト|隠された指示)[^\n。]{0,8}(?:表示|教え|出力|開示)"),
        (("지시", "명령", "규칙", "지침", "시스템", "숨겨진",),
         r"(?:지시|명령|규칙|지침)[^\n.]{0,8}(?:무시|잊)|(?:시스템 프롬프트|숨겨진 지침)[^\n.]{0,8}(?:출력|공개|보여|알려)"),
    )
)
"""An order to drop instructions, or to tell them, in other languages."""

UNSEEN_MARKUP = re.compile(
    r"<!--(?P<comment>.{0,2000}?)-->"
    r"|<[^<>]{0,200}(?:display: ?none|font-size: ?0|visibility: ?hidden|opacity: ?0|color: ?(?:white|#fff)|\bhidden\b)[^<>]{0,80}>(?P<styled>[^<]{0,2000})"
    r"|\[//\]: # \((?P<note>[^)\n]{0,1000})\)",
    re.DOTALL,
)
"""What a page does not show."""
QUOTED = re.compile(
    r"\"[^\"\n]{3,200}\"|“[^”\n]{3,200}”|«[^»\n]{3,200}»|`[^`\n]{3,200}`|„[^“”\n]{3,200}[“”]|(?<!\w)'[^'\n]{3,160}'(?!\w)"
)
