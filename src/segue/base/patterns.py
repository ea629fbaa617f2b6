"""Patterns: a regular expression in, one that is compiled when it is first used out.

Most processes meet only some of what the detectors look for, and a long pattern takes milliseconds to compile.
"""

from __future__ import annotations

import re
from typing import Any, cast


def lazy_pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    """As `re.compile`, but at the first use; a mistake in the source is seen only then."""
    return cast(re.Pattern[str], _Pattern(source, flags))


class _Pattern:
    """Stands for a pattern, and takes over each of its methods as it is asked for."""

    def __init__(self, source: str, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        value = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, value)
        return value
