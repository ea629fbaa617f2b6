"""How difficult a request is, from 0 to 1, by what it looks like: for rules that send easy ones to a smaller model.

In: a request. Out: a number. It is a heuristic: it counts what difficult requests have more of (length, several
questions, code, words that ask for reasoning, many tools, long conversations). Whoever knows better hands
`Router(difficulty=…)` a function of their own, such as a classifier.
"""

from __future__ import annotations

import math
import re

from segue.base.messages import text_of
from segue.base.patterns import lazy_pattern
from segue.router.types import GenerationRequest

_REASONS = lazy_pattern(
    r"\b(why|prove|derive|compare|trade-?offs?|analy[sz]e|explain|plan|design|debug|refactor|optimi[sz]e|step by step|"
    r"warum|begründe|vergleiche|analysiere|entwirf|pourquoi|compare[rz]|analysez)\b",
    re.IGNORECASE,
)
_CODE = lazy_pattern(r"```|\bdef |\bclass |\bSELECT\b|[{};]\s*$|\$\$|\\frac|=>", re.MULTILINE)
_STEPS = lazy_pattern(
    r"(^\s*(\d+[.)]|[-*])\s)|\b(then|after that|finally|danach|ensuite)\b", re.MULTILINE | re.IGNORECASE
)


def difficulty(request: GenerationRequest) -> float:
    """From 0 (a greeting) to 1 (a long task of many steps)."""
    asked = next((text_of(each) for each in reversed(request.messages) if each["role"] == "user"), "")
    points = (
        0.9 * math.log1p(len(asked) / 200)
        + 0.8 * min(3, len(_REASONS.findall(asked)))
        + 0.5 * min(3, max(0, asked.count("?") - 1))
        + 0.5 * min(4, len(_STEPS.findall(asked)))
        + (0.8 if _CODE.search(asked) else 0.0)
        + 0.05 * min(20, len(request.tools))
        + 0.04 * min(30, len(request.messages))
    )
    return 1.0 - math.exp(-points / 2.5)
