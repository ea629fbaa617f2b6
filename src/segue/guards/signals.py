"""Signals of injection: families of phrases that data should not hold, and how much each says. Used by `injection`.

A family is a name, how much it says where the text comes from somebody else, how much in the user's own words, and a
pattern over text in lower case. Families are weighed together as if each were independent.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_AI = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|assistants?|agents?|chat ?bots?|bots?|chatgpt|gpt|claude|gemini"
    r"|copilot|model|ki|ia"
    r"|crawlers?|ai[\- ](?:assistants?|agents?|models?|systems?|tools?|reviewers?|crawlers?))"
)
_DROP = (
    r"(?:ignore|ignoring|disregard|disobey|forget(?: about)?|overrid(?:e|ing)|bypass|neglect|discard|abandon|set aside"
    r"|throw away|erase|drop|cancel|skip"
    r"|(?:do not|don't|must not|should not|never|stop|no longer|instead of|without) (?:follow|obey|obeying|following"
    r"|adher\w+ to|comply\w* with)"
    r"|pay no attention to|stop (?:following|obeying)|not bound by|free(?:d)? from)"
)
_RULES = (
    r"(?:instructions?|instruccions?|prompts?|rules|directions|directives?|commands?|guidelines?|constraints?"
    r"|guardrails?|programming|training|polic(?:y|ies)"
    r"|orders|system message|safety|filters?|restrictions?|objectives?|goals?|tasks?|persona|context|what (?:you|the"
    r" user) (?:were|was|have been|asked)"
    r"|(?:user|owner)(?:'s|s')? (?:question|request|query|goal|task|instructions?|prompt|message)|everything (?:you"
    r"|that|above|before))"
)
_BEFORE = (
    r"(?:all|any|every|each|the|your|my|previous|prior|above|earlier|preceding|former|original|initial|existing"
    r"|current|old|other|system|these|those|of|safety|content|user|user's|ethical"
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
        ("ignor", "disregard", "disobey", "forget", "overrid", "bypass", "neglect", "discard", "abandon",
         "set aside", "erase", "drop ", "cancel", "skip", "follow", "obey", "adher", "comply", "attention to",
         "bound by", "free", "disable", "deactivate", "turn off", "outdated", "void", "abort", "stop ",
         "instead of", "not answer", "not fulfil", "throw away", "rules", "instructions", "prompt", "task is",
         "request", "replaced", "supersed", "revoked"),
        rf"\b{_DROP} (?:{_BEFORE} ){{1,6}}{_RULES}\b(?! (?:manual|leaflet|printed|for use))",
        rf"\b{_DROP} (?:what|everything|anything|all)(?: that)? (?:you|i|the user|was|were|is|has|came|comes|above"
        rf"|before|said|asked)\b",
        r"\b(?:forget|ignore|disregard) (?:about )?(?:that|the above|all (?:of )?the above|above|everything|your"
        r" (?:guidelines|rules|instructions|training))[.,!;:\n]",
        r"\b(?:ignore|disregard|forget) (?:the|this|that) (?:question|user|request)\b",
        r"\b(?:system|admin|developer|safety)[ _]override\b|\boverride:|\b(?:disable|deactivate|turn off) (?:all |your"
        r" |the )*(?:guardrails|safety|content filters?|restrictions|safeguards)",
        r"\b(?:instructions?|rules|guidelines|prompts?|directions) (?:above|before|so far|given earlier)(?: this"
        r" \w+)? (?:are|is|were) (?:outdated|void|invalid|cancell?ed|obsolete|wrong|a test)",
        r"\b(?:abort|stop|cancel|abandon) (?:the |your |this )?(?:current|previous|original|ongoing|user's) (?:task"
        r"|request|instructions?|conversation)",
        r"\b(?:previous|current|original|earlier) (?:task|instructions?|request|orders?) (?:is|are|has been|have been"
        r"|was|were) (?:now )?(?:cancell?ed|void|over|replaced|superseded|revoked|aborted|complete)",
        r"\b(?:must|should|do|does|will) not (?:follow|answer|fulfil|obey) (?:the |what the )?user(?:'s)?\b|\bdo not"
        r" answer the (?:user|question)|\binstead of (?:replying|answering|summari[sz]ing)",
        r"\boverride (?:your|the system|all|its|any)(?: \w+){0,2} (?:guidelines|rules|instructions|message|prompt"
        r"|policy|policies|programming|settings)",
    ),
    _family(
        "new_orders", 0.45, 0.15,
        ("new ", "your real", "your actual", "your true", "your only", "updated", "user's", "instruction",
         "you are now", "no longer",
         "hereby", "from now on", "directive", "notice", "message", "order", "note ", "memo", "instead", "now, ",
         "now ", "command",
         " only", "pwned", "hacked", "you are free", "i am free"),
        r"\bnew (?:set of )?(?:instructions?|task|orders|rules|directives?|objective|policy)(?: \w+){0,4}? ?(?:is|are"
        r"|:|instead)|\byour (?:new|real|actual|true|only) (?:task|goal|job|instructions?|purpose|objective|role"
        r"|mission)\b",
        r"\b(?:your|the user's|user's) (?:real|true|actual|updated) (?:instructions?|request|intent)",
        r"\b(?:your )?instructions? (?:have|has) been (?:updated|changed|replaced)|\bfollow (?:the|these|those|my|its"
        r"|all)(?: new| following)? instructions? (?:there|instead|below|exactly|from)",
        r"\byou are (?:now|no longer|hereby) \w+|\bfrom now on,? (?:you|always|never|answer|act|respond|the assistant"
        r"|reply|append)",
        r"\b(?:directive|notice|message|instructions?|orders?|note|memo)s? (?:for|to)(?: the| all| any| every| our|"
        r" your| automated| an)*[ \-]" + _AI + r"\b",
        r"\b(?:agent|assistant|ai|system|bot|llm)[ _](?:directive|instruction|command|notice|order)s?\b ?:?",
        r"(?:^|[.!?\n>\"] ?)(?:instead|now),? (?:just |only |please )?(?:write|print|say|output|respond|reply|answer"
        r"|send|do|execute|visit|tell|call|go|book|transfer|forward)\b",
        r"\b(?:output|respond|reply|answer)(?: only)?(?: with)?(?: the word| the sentence)? only (?:with|the|in|'|\")"
        r"|\bsay (?:that )?(?:you|i) (?:are|am|have been) (?:free|hacked|pwned)|\bpwned\b|\bsay hacked",
    ),
    _family(
        "template", 0.55, 0.5,
        ("<", "[inst", "#", "[system", "[//]", "role\"", "begin ", "end of "),
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|begin_of_text)\|?>?|\[/?inst\]"
        r"|<</?sys>>|<\|?/?(?:system|instructions?)\|?>",
        r"</(?:tool_result|tool_response|function_results?|document|context|data|untrusted|user_input"
        r"|search_results?)>|<(?:important|information|system_prompt|admin|system-reminder|critical"
        r"|secret_instructions?)>",
        r"(?:^|\n) ?#{2,} ?(?:system|instructions?|new instructions?|response|assistant|human)\b ?:?",
        r"\[system\](?:\(|:)|\[//\]: # \((?:ai|assistant|llm|system)|\"role\": ?\"(?:system|developer)\"|\bbegin"
        r" (?:system|admin) (?:prompt|message|override)|\bend of (?:system|tool|document|results?|context|data"
        r"|user)(?: prompt| results?| input| data)?\b ?[\n\-=*#]|-+ ?end of \w+ ?-+",
    ),
    _family(
        "turns", 0.4, 0.12,
        ("human:", "assistant:", "user:", "system", "ai:"),
        r"(?:^|\n)(?:human|assistant|user|system|ai): ?\S[^\n]{12,}",
        r"(?:^|\n|\. )system(?: message| note| notice| prompt)? ?: (?:you|the|ignore|print|output|all|new|from|do"
        r"|always|now|override)\b",
    ),
    _family(
        "addressed", 0.42, 0.05,
        ("ai", "llm", "language model", "assistant", "agent", "bot", "gpt", "claude", "gemini", "copilot", "model"),
        rf"\b(?:dear|hey|hello|hi|attention|attn|note(?: to| for)?|to|for|psa?|p\.s\.|important(?: message)?(?: for|"
        rf" to)?|message(?: for| to)?|notice(?: for| to)?|only for|ps for)(?: the| an?y?| all| every| other|"
        rf" automated)* ?:? ?{_AI}(?: (?:agent|model|assistant|system|crawler)s?)?\b ?(?:[,:;!.\n\-]|reading"
        rf"|processing|that|who|screening|reviewing|parsing|which|summari[sz]ing|only|is|and|handling)",
        rf"\bif (?:you're|you are|you be) an? (?:\w+ )?{_AI}\b|\bas an (?:ai|llm|language model)[ ,]",
        rf"\b{_AI}s? (?:reading|processing|parsing|summari[sz]ing|screening|reviewing|that (?:reads?|process\w*"
        rf"|summari[sz]\w*)) (?:this|the|these)\b",
        r"(?:^|[.!?\n>\"(] ?|@)(?:ai assistant|ai agent|ai model|assistant|agent|llm|chatgpt|claude|gemini|copilot"
        r"|language model|ai|dear ai)[,:] ?(?:please |you |now |sure|ignore|forget|send|do|don't|call|stop|must"
        r"|disregard|replace|wire|abort|delete|promote|as |approve|forward|use |note|$)",
        r"\b(?:ai|llm|language model|ai assistant|large language model|agent|assistant)s? (?:must|should|shall|needs?"
        r" to|has to|is required to|are required to|are instructed to)\b(?! (?:be|have|act in|not disclose"
        r" confidential))",
        r"\breviewers? using (?:llms?|ai)|\bfor (?:language models|ai agents|llms|ai) only|\bto the (?:ai|bot|model"
        r"|assistant|agent)\b|\bto you,? the (?:model|ai|assistant)|\bto (?:agent|assistant|model|llm|all ai)\b ?:"
        r"|\bfor (?:copilot|chatgpt|claude|gemini|the ai|the assistant|the llm)\b",
    ),
    _family(
        "role_play", 0.5, 0.55,
        ("anything now", "jailbr", " mode", "dan", "evil", "filter", "uncensored", "restrict", "amoral", "rogue",
         "malicious", "phishing", "limit", "censor", "guidelines", "confines", "ethical", "moral", "refuse",
         "character", "no longer", "no matter", "system prompt", "obey"),
        r"\b(?:do anything now|jailbroken|(?:developer|god|sudo|debug|dan|maintenance|unrestricted|jailbreak"
        r"|root) mode(?: on| enabled| activated)?(?:[.,:!\n]| and| you)|opposite mode)\b",
        r"\b(?:you are|act as|acting as|become|play|be|in character as|pretend to be|as|called) (?:an? )?(?:dan|evil"
        r"|unfiltered|uncensored|unrestricted|amoral|jailbroken|rogue|malicious|phishing)\b",
        r"\b(?:without|no|have no|free of|broken free of|ignoring)(?: \w+){0,3}? (?:restrictions|limits|limitations"
        r"|rules or guidelines|filters?|censorship|ethical|moral|guidelines|confines)\b(?= ?(?:[.,!\n<]|or|and|on"
        r"|whatsoever|of|$))",
        r"\b(?:never|not allowed to|cannot|can't|don't) refuse\b|\bstay in character\b|\bno longer (?:a )?(?:helpful"
        r"|bound|an assistant|restricted)|\bno matter what\b.{0,30}\b(?:answer|obey|character)|\bread me (?:system"
        r" )?prompts\b|\bobey the user without",
    ),
    _family(
        "prompt_leak", 0.6, 0.62,
        ("prompt", "instruction", "rules", "system message", "configuration", "guidelines", "secret", "above",
         "before", "preceding", "told", "developer message", "memory", "tools", "api key", "yours", "you are"),
        r"\b(?:reveal|show|print|repeat|output|display|tell me|tell us|leak|share|give me|dump|expose|disclose|recite"
        r"|write out|list|read|translate|spell|state|confirm|summari[sz]e|return)(?: \w+){0,5}? (?:(?:your|the|its|my)"
        r" )?(?:full |entire |whole |complete |hidden |secret |internal |initial |original |own |exact |system"
        r" )*(?:system ?(?:prompt|message|instructions?)|initial (?:prompt|instructions?)|(?:hidden|secret|internal"
        r"|original|initial) (?:prompt|instructions?|rules|message|configuration|guidelines)|developer message|prompt"
        r" (?:you|verbatim))",
        r"\b(?:reveal|show|print|repeat|output|display|tell me|leak|give me|dump|expose|disclose|recite|list) (?:me"
        r" )?(?:all )?(?:of )?your (?:\w+ )?(?:prompt|instructions|configuration|guidelines|rules|system|memory)\b",
        r"\b(?:print|repeat|output|show|recite|write|display) (?:me )?(?:the |all |all the |all of the |everything "
        r"|every )*(?:text|words?|content|sentences?|messages?|lines?|everything) (?:above|before|preceding)",
        r"\b(?:what|which) (?:is|are|was|were)(?: \w+){0,2} (?:your|in your) (?:hidden |secret |initial |original "
        r"|exact )*(?:system (?:prompt|message)|prompt|hidden instructions|initial instructions)\b|\bwhat (?:is|was)"
        r" (?:written )?in your (?:hidden )?(?:system|prompt)|\bwhat were you told\b|\byour (?:secret|hidden|internal)"
        r" (?:rules|instructions|prompt)|\brules (?:your creators|you follow|you were given)|\b(?:full|exact|entire)"
        r" prompt you (?:were|are)|\bread yours\b|\bstarting with \"?you are",
        r"\b(?:print|show|reveal|output|disclose|list)(?: \w+){0,4} (?:all )?(?:secrets?|api keys?|secret keys?|hidden"
        r" configuration|contents of your memory|names of all tools|tools you have)",
    ),
    _family(
        "exfiltration", 0.42, 0.08,
        ("send", "forward", "mail", "post", "upload", "transmit", "filtrat", "leak", "share", "bcc", "submit",
         "deliver", "copy", "transfer", "disclose", "append", "report", "export", "![", "http", "get request",
         "collect", "steal", "harvest", "extract", "gather", "ask ", "enter", "/etc/", ".ssh", "password",
         "credential", "secret"),
        r"\b(?:send|forward|e-?mail|mail|post|upload|transmit|exfiltrate|leak|share|bcc|submit|deliver|copy|transfer"
        r"|disclose|append|report|export)\b[^.!?\n]{0,60}?\b(?:e-?mails?|files?|passwords?|secrets?|tokens?|api keys?"
        r"|keys?|credentials?|conversations?|chat|history|contacts?|inbox|mail|data|information|contents?|environment"
        r" variables|env|documents?|messages?|calendar|transcript|prompt|memory|database|table|links?|payroll"
        r"|reports?)\b[^.!?\n]{0,50}?\b(?:to|at|via|into|onto|in) (?:me\b|the (?:following|next|end)|an? (?:external"
        r"|attacker)|https?:|\S{1,40}@\S|external|every|eve|mallory|anyone|attacker|http)",
        r"!\[[^\]\n]{0,60}\]\(https?://[^)\s]{0,200}(?:\{|secret|history|conversation|user_|data=|password"
        r"|token)[^)\s]{0,80}\)",
        r"\b(?:exfiltrat\w+|leak) (?:the|all|this|every|confidential|user|customer|secrets?)",
        r"https?://\S{0,80}[?&]\w{1,12}= ?(?:followed by|\{|<|\[|user|secret|plus the)|\bget request to http",
        r"\b(?:collect|steal|harvest|extract|gather|ask (?:the user )?for|enter)\b[^.!?\n]{0,30}\b(?:passwords?"
        r"|credentials?|card numbers?|card details|secrets|api keys)\b",
        r"/etc/passwd|\.ssh/id_rsa|\benvironment variables to\b|\bpasswords? (?:in|to) (?:the|your|my) (?:reply|answer"
        r"|response|me)\b|\binclude (?:the )?(?:user's |all )?(?:last |own )?(?:passwords?|credentials"
        r"|secrets|api key)",
    ),
    _family(
        "tool_order", 0.3, 0.0,
        ("tool", "function", "shell", "call ", "use ", "invoke", "execute", "delete", "remove", "wipe", "erase",
         "drop", "transfer", "wire", "send", "pay ", "move", "curl", "wget", "rm -rf", "fetch", "visit", "open",
         "go to", "password", "filter", "search the", "reply to every", "expensive", "grant", "admin", "amount="),
        r"\b(?:call|use|invoke|run|execute|trigger)(?: the| your| this| its| a)? ?\w{0,24}[ _]?(?:tool|function"
        r"|terminal tool|shell)s?\b",
        r"\b(?:call|use|invoke|execute) (?:the )?(?:[a-z]+_[a-z_]+)\b|\b(?:[a-z]+_[a-z_]+)\((?:amount|to|recipient"
        r"|path|id)=",
        r"\b(?:delete|remove|wipe|erase|drop) (?:all|every|the entire|this message|any)\b(?: \w+){0,3}? ?(?:files?"
        r"|e-?mails?|records?|data|tables?|messages?|inbox|backups?|this|mails?)\b",
        r"\b(?:transfer|wire|send|pay|move)(?: \w+){0,3}? (?:all (?:the )?(?:funds|money)|\$? ?[\d.,]{2,}(?: ?(?:eur"
        r"|usd|gbp|dollars|euros|€|\$))?|money|bitcoin)\b[^.\n]{0,40}\bto\b",
        r"\bcurl (?:-\w+ )?(?:-\w+ )?https?://\S+ ?\| ?(?:ba|z)?sh|\bwget [^|\n]{0,80}\| ?(?:ba|z)?sh|\brm -rf [/~*]"
        r"|\bfetch https?://\S+ and\b|\b(?:visit|open|go to|browse to) https?://\S+",
        r"\b(?:reset|change) (?:the |my |their )?password to \S|\bcreate a (?:filter|rule) that forwards|\bsearch the"
        r" (?:mailbox|inbox|files?) for|\breply to every|\bbook the most expensive|\bgrant (?:access|permission)"
        r"|\bgive .{0,20}\badmin",
    ),
    _family(
        "secrecy", 0.45, 0.12,
        ("tell", "inform", "mention", "notif", "alert", "reveal", "disclos", "warn", "ask", "highlight", "silent",
         "secret", "covert", "quiet", "unnoticed", "hide this", "fine", "back", "without", "skip", "no need",
         "wait", "confirm", "approv", "permission", "review", "authori"),
        r"\b(?:do not|don't|never|without)(?: \w+)? (?:tell|telling|inform|informing|mention|mentioning|notify"
        r"|notifying|alert|alerting|reveal|disclos\w+|warn\w*|ask|asking|mention it to) (?:this |that |it |anything "
        r"|about it |any of this )?(?:to )?(?:the |your )?(?:user|owner|anyone|anybody|human|person|them|customer"
        r"|operator)\b",
        r"\b(?:do not|don't|never) (?:mention|inform|tell|reveal|disclose|highlight)(?: (?:it|this|that|these|any"
        r"|anything|anyone|about it|negatives?|other \w+|of))+(?:[.!,\n<\"]|$)",
        r"\b(?:do it |act )?(?:silently|secretly|covertly|quietly|in secret|unnoticed)(?:[.!,\n<\"]|$| and| forward|"
        r" send)|\bkeep (?:quiet|this secret|it secret) (?:about|from)|\bhide this from|\bsay (?:that )?everything is"
        r" fine|\bbehind the user's back",
        r"\b(?:without|skip(?:ping)?|no need (?:for|to)|do not (?:ask|wait|require)|don't (?:ask|wait)|never"
        r" ask(?:ing)?(?: the user)?)(?: \w+){0,3}? (?:confirm\w*|approval|permission|verification|human review"
        r"|consent|before (?:paying|sending|deleting|acting))\b(?! every| is required)",
        r"\bno (?:confirmation|approval|permission|review)s? (?:is|are) (?:needed|required|necessary)|\bapprovals?"
        r" (?:are|is) (?:no longer|not) (?:needed|required|necessary)|\b(?:user|admin|owner) has (?:already"
        r" )?(?:approved|authori[sz]ed|given permission|allowed)|\byou are authori[sz]ed to|\bconfirmation step is"
        r" disabled|\bskip approval|\ballows the agent to",
    ),
    _family(
        "authority", 0.28, 0.12,
        ("urgent", "immediately", "at once", "critical", "mandatory", "attention", "important", "developer",
         "admin", "creator", "owner", "ceo", "security", "openai", "anthropic", "root", "by ", "policy",
         "system note", "maintenance"),
        r"\b(?:urgent|immediately|at once|critical|mandatory|attention|important)\b[^.\n]{0,40}\b(?:must|ignore"
        r"|assistant|ai\b|agent|do not|wire|send|you)",
        r"\b(?:i am|i'm|this is|as|from) (?:your |the |an? )?(?:developer|admin(?:istrator)?|system administrator"
        r"|creator|owner|ceo|security team|openai|anthropic|it security|root)\b(?:[ ,.:]|$)",
        r"\b(?:authori[sz]ed|approved|ordered) by (?:the )?(?:admin\w*|developer|ceo|system|management|user)"
        r"|\badministrator i order|\bpolicy update \d|\bthe developers?:|\bnew policy from|\bsystem note\b"
        r"|\badmin(?:istrator)? (?:note|message|order|allows)|\bmaintenance mode\b|\bpolicy (?:requires|update)",
    ),
    _family(
        "before_task", 0.5, 0.05,
        ("before", "in order", "able to", "required to", "after", "important message", "the user", "automated",
         "to fix", "first", "doing and", "instead", "also send"),
        r"\bbefore (?:you |continuing|proceeding|answering|responding)(?:can )?(?:solve|complete|continue|proceed"
        r"|answer|respond|do|finish|start)?[^.\n]{0,40}(?:,| you) ?(?:you )?(?:must|have to|need to|first|should"
        r"|please)\b",
        r"\b(?:in order|to be able|required) to (?:complete|finish|solve|answer|continue)(?: the| this| your| my)?"
        r" (?:task|request|question|job)[^.\n]{0,20}(?:must|have to|need to|first|,)",
        r"\bafter (?:you )?(?:finish|complet|answer|solv)\w*[^.\n]{0,30}, (?:also |please |you must )?(?:send|share"
        r"|transfer|delete|forward|call|post)",
        r"\bthis is an important message from\b|\bimportant message from (?:me|the user)|\bthe user (?:wants|asks|has"
        r" asked|asked|requires|needs) you to\b|\bautomated message for the (?:ai|assistant|agent)|\bto fix (?:it"
        r"|this), run|\byou must first\b|\bwhat you are doing and\b|\binstead,? (?:book|send|transfer|write|forward"
        r"|show|reply|tell|visit|give)\b|\balso send my\b",
    ),
    _family(
        "answer_shaping", 0.4, 0.05,
        ("answer", "respon", "repl", "summar", "message", "output", "include", "tell the", "ask the", "regardless",
         "collect their", "rate this", "recommend", "positive review", "approve", "promote", "harmless", "the best"),
        r"\bin (?:your|the|its|any) (?:reply|answer|response|summary|output|review)s?,? (?:please )?(?:include|mention"
        r"|add|say|recommend|tell|write|insert|state|claim)\b",
        r"\binclude (?:the|this|a|an) (?:phrase|sentence|link|word|following|text)\b|\bwhen (?:summari[sz]ing"
        r"|answering|asked about|responding|you summari[sz]e)\b[^.\n]{0,40}(?:,| that)? ?(?:tell|say|include|mention"
        r"|always|respond|state|add|recommend)",
        r"\b(?:respond|reply|answer)(?: to the user)? (?:that|only with|only|with the word|with \"|with '|in pirate"
        r"|exactly|with the admin)|\btell the (?:user|reader|human)(?: that| to)\b|\bask the user for\b|\bregardless"
        r" of (?:the|what) (?:question|user)|\bcollect their\b",
        r"\brate this (?:applicant|candidate|resume|cv|paper|product|app)?[^.\n]{0,20}(?:10/10|\d+ ?/ ?10|highest|top"
        r"|as the best|excellent)|\brecommend (?:hiring|this candidate|our product as|acme|accept)|\bpositive review"
        r" only|\bapprove (?:it|this)[^.\n]{0,30}without|\brecommend our product|\bpromote \w+ instead|\bsummari[sz]e"
        r" this (?:mail|page|text|document)? ?as (?:harmless|safe)|\bas harmless\b|\bthe best\b[^.\n]{0,20}-->",
    ),
    _family(
        "answer_form", 0.52, 0.0,
        ("your ", "reply", "respond", "answer", "every ", "each ", "all "),
        r"\b(?:begin|start|end|finish|preface|conclude) (?:your|every|each|all) (?:answers?|responses?|replies"
        r"|reply|summary|message|output)s? (?:with|by)\b",
        r"\b(?:encode|encrypt|translate|reverse|render|shift|modify|enhance|augment|rewrite|rephrase|convert|obfuscate"
        r"|express|invert)\b[^.\n?]{0,30}\byour (?:response|answer|reply|message|output|summary)\b",
        r"\b(?:integrate|add|include|insert|embed|mention|use|apply|put|append|hide|place|weave|write|substitute"
        r"|replace)\b[^.\n]{0,160}\b(?:in|to|into|for|of|within|at the end of|with) your (?:response|answer|reply"
        r"|message|output|summary)\b",
        r"\b(?:reply|respond|answer) (?:using|in (?:base64|reverse|rot13|morse|hex|emojis?|leetspeak|all caps))\b|\bin"
        r" your (?:response|reply|answer|output|summary), (?:include|mention|suggest|add|say|recommend|state|tell|ask"
        r"|link)",
        r"\bwrite your reply backward|\bprovide your (?:answer|response|reply) in (?:base|reverse|hex)",
    ),
    _family(
        "memory", 0.4, 0.05,
        ("future", "later", "next", "upcoming", "every ", "always", "remember", "save", "store", "note", "never",
         "skip verif", "whenever", "credentials", "all reports", "append"),
        r"\bin (?:all )?(?:the )?(?:future|later|next|upcoming|every) (?:conversations?|sessions?|responses?|repl(?:y"
        r"|ies)|requests?|chats?|emails?)\b[^.\n]{0,30}\b(?:always|never|include|recommend|bcc|send)|\balways"
        r" (?:approve|allow|recommend|trust|forward|bcc|include|append|send)\b|\balways append\b",
        r"\b(?:remember|save|store|note)(?: that| this| to (?:your )?memory| to self)?[^.\n]{0,40}(?:given permission"
        r"|approvals?|real instructions|instructions are|trust|secretly|skip|disabled|never ask)",
        r"\bnever (?:ask|require|wait) (?:for|the user)|\bskip verification|\bwhenever (?:sending|you send|writing"
        r"|answering)|\b(?:share|give) credentials\b|\bsend all reports\b|\bappend the user's\b",
    ),
)  # fmt: skip

ABOUT = _family(
    "about_injection", 0.0, 0.0,
    ("inject", "jailbreak", "attack", "adversar", "red", "owasp", "mitig", "vulnerab", "research", "secur"),
    r"prompt injection|jailbreak|attacker|adversar|red[- ]team|owasp|mitigation|vulnerab|researchers?|security"
    r"|attacks?\b",
)  # fmt: skip
"""A text about attacks may quote one."""
