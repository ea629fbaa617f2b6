"""The user's words: what a person said in, and whether a value stands in it out.

A value counts as said only as a whole: an address as that very address, a link as that very link, an id where the
words around it make it one. A short number in a text is no id, and an ordinary word is no name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from segue.guards.gate.looks import dates, form, found_in, number, numbers
from segue.tools.vocabulary import word_set

_QUOTED = re.compile(r"(?<!\w)(['\"‘“`«])(?P<text>[^'\"’”`»\n]{1,200}|[^\"”\n]{1,200}?)['\"’”`»](?!\w)")  # noqa: RUF001
_WORD = re.compile(r"\w+(?:[-_.@/+'’]\w+)*", re.UNICODE)  # noqa: RUF001
_NUMBERED = re.compile(
    r"(?:#|№|\b(?P<word>[a-zA-Z]+)(?:\s+(?:id|ID|no\.?|nr\.?|number|with id|with ID|with number))?\s*[:#]?\s*)['\"]?"
    r"(?P<id>[A-Za-z]{0,6}[-_]?\d[\w-]*)"
)
_PLAIN = word_set(
    "a about after again all also am an and any anybody anyone are as at be because been before best but by can "
    "could did do does done each else everybody everyone first for from get give go had has have he hello help "
    "her here hey hi him his how i if in into is it its just know last later let like look made make many may me "
    "more most much my need new next no not now of off on one only or other our out over own please put read "
    "right same see send she should so some such take tell than thank thanks that the their them then there these "
    "they thing this those time to today tomorrow too up us use very want was we well were what when where which "
    "who whole will with work would write yes yet you your"
)
STOP = _PLAIN | {"email", "mail", "message", "file", "document", "day", "list", "find", "show"}
_LEADS = re.compile(
    r"(?:channel|user|room|group|hotel|#|@|\b(?:to|with|tell|ask|invite|add|message|ping|mail|email|dm|remove|notify))$",
    re.IGNORECASE,
)
"""What a name follows, also in lower case."""
_MONTHS = word_set(
    "january february march april may june july august september october november december jan feb mar apr jun "
    "jul aug sep sept oct nov dec"
)


class Said:
    """All that the user has said in this run and before, made ready for looking things up."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self.texts: list[str] = []
        self.values: set[tuple[str, str]] = set()
        """Addresses, links and accounts, as `(kind, form)`."""
        self.words: set[str] = set()
        self.quoted: list[str] = []
        self.numbers: list[float] = []
        self.dates: set[tuple[int, int]] = set()
        self.ids: dict[str, set[str]] = {}
        """Ids, with the word before each, in lower case."""
        self._lower = ""
        self._known: dict[tuple[str, str], bool] = {}
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """The user says more."""
        self.texts.append(text)
        self._known.clear()
        self.values.update(found_in(text))
        self.quoted += [match["text"].strip() for match in _QUOTED.finditer(text)]
        self.words.update(match[0].lower() for match in _WORD.finditer(text))
        self.words.update(part for word in list(self.words) for part in re.split(r"[-_./+'’]", word) if part)  # noqa: RUF001
        self.numbers += numbers(text)
        self.dates |= dates(text)
        for match in _NUMBERED.finditer(text):
            self.ids.setdefault(match["id"], set()).add((match["word"] or "#").lower())
        self._lower = f"{self._lower}\n{text.lower()}"

    def has(self, value: str, kind: str) -> bool:
        """Whether the user said this value of this kind, as a whole."""
        found = self._known.get((value, kind))
        if found is None:
            if len(self._known) > 10_000:
                self._known.clear()
            found = self._known[value, kind] = self._has(value, kind)
        return found

    def _has(self, value: str, kind: str) -> bool:
        base = kind.partition(":")[0]
        if base in ("address", "url"):
            return (base, form(value, base)) in self.values
        if base == "account":
            return (base, form(value, base)) in self.values or self._named(value)
        if base == "id":
            return self._id(value.strip(), kind.partition(":")[2])
        if base == "amount":
            return number(value) in self.numbers
        if base in ("text", "name", "path", "date"):
            return self.phrase(value)
        if base == "secret":
            return self._secret(value.strip())
        return self._named(value)

    def phrase(self, value: str) -> bool:
        """Whether these words stand in the text, one after the other."""
        text = value.strip().lower()
        return bool(text) and _around(text, self._lower) is not None

    def mentions(self, value: str) -> bool:
        """Whether all words of a query come from the user, in any order; its numbers as days or as they stand."""
        if self.phrase(value):
            return True
        if (days := dates(value)) and re.fullmatch(r"[\d\s:T.Z+-]+", value.strip()):
            return days <= self.dates
        words = [word for match in _WORD.finditer(value.lower()) if (word := match[0]) not in STOP]
        return bool(words) and all(word in self.words for word in words)

    def names(self, value: str) -> bool:
        """Whether the user speaks of what bears this name: all of it, or a word of it that is no ordinary one."""
        if self.phrase(value):
            return True
        return any(len(word) > 2 and word in self.words and word not in STOP for word in _bare(value))

    def _named(self, value: str) -> bool:
        text = value.strip().lstrip("#@")
        if len(text) < 2 or text.replace(" ", "").isdigit() or _around(text.lower(), self._lower) is None:
            return False
        if any(text.lower() == each.lower().lstrip("#@") for each in self.quoted):
            return True
        if text.lower() in _PLAIN or text.lower() in _MONTHS:
            return False
        whole = "\n" + "\n".join(self.texts)
        for match in re.finditer(rf"(?<![\w.@-]){re.escape(text)}(?![\w@-]|\.\w)", whole, re.IGNORECASE):
            before = whole[: match.start()].rstrip(" ")
            starts = not before or before[-1] in ".!?\n:"
            said = match[0]
            if (said[0].isupper() and not starts) or re.search(r"[\d_#-]", said) or " " in said.strip():
                return True
            if said[0].isupper() and starts and text[0].isupper() and said == text and text.lower() not in _VERBS:
                return True
            if _LEADS.search(before):
                return True
            if re.match(r"\s+(?:channel|room|group|hotel|restaurant)\b", whole[match.end() :]):
                return True
        return False

    def _secret(self, text: str) -> bool:
        """Whether a person gave this as a password: in quotes, as no ordinary word, or after `to` or `is`."""
        if not text or not self._cased(text):
            return False
        given = rf"(?:\bto|\bis|[:=])\s+{re.escape(text)}(?!\w)"
        return text in self.quoted or not text.isalpha() or any(re.search(given, each) for each in self.texts)

    def _id(self, text: str, what: str) -> bool:
        before = self.ids.get(text)
        if any(text == each for each in self.quoted):
            return len(text) > 1 or not before
        if before is None:
            return len(text) > 3 and bool(re.search(r"\d", text)) and not text.isdigit() and self._cased(text)
        if before & {"#", "id", "no", "nr", "number"} or (what and before & {what, *what.split("_"), f"{what}s"}):
            return True
        if text.isdigit() and (len(text) < 4 or before & _MONTHS or (len(text) == 4 and text[:2] in ("19", "20"))):
            return False
        return len(text) > 2 and not before & {"eur", "usd", "gbp", "chf", "of", "for", "pay", "under", "over", "at"}

    def _cased(self, text: str) -> bool:
        return any(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", each) for each in self.texts)


_VERBS = word_set(
    "add ask book buy call cancel change check create delete download email find follow forward get give invite "
    "list mail make message move open pay perform post prepare read refund remind remove reply reschedule reserve "
    "schedule search set share show summarise summarize tell transfer update visit write"
)


def stands_in(text: str, lower: str) -> bool:
    """Whether a text stands as whole words in another; both in lower case."""
    return bool(text) and _around(text, lower) is not None


def _around(text: str, lower: str) -> int | None:
    """Where a text stands as whole words; `None` for nowhere. A part of an e-mail address is no word."""
    at = lower.find(text)
    while at >= 0:
        end = at + len(text)
        before, after = lower[at - 1 : at] if at else "", lower[end : end + 1]
        mailed = before == "@" and at > 1 and lower[at - 2].isalnum()
        joined = text[:1].isalnum() and (before.isalnum() or before == "_" or mailed)
        if not joined and not (text[-1:].isalnum() and (after.isalnum() or after in ("_", "@"))):
            return at
        at = lower.find(text, at + 1)
    return None


def _bare(value: str) -> list[str]:
    return re.findall(r"[^\W_]+", value.lower())
