"""Foreign links: text in, and out the same without links and images that lead to hosts nobody allowed.

A page that shows an answer loads its images and follows its links, and with them goes whatever was written into the
address. So addresses are looked for wherever a renderer of Markdown or HTML might find one. Links without a host, to
a place on the page and to an e-mail address, stay.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal
from urllib.parse import unquote

from segue.base.errors import UserError
from segue.context.decisions import Allow, Block, Decision, Rewrite
from segue.guards.rail import Place, Rail, checked_places, makes_rail
from segue.guards.texts import TextRail

GONE = "[link removed]"
PASSES = 4
_TITLE = r"""(?:\s+(?:"[^"]{0,300}"|'[^']{0,300}'|\([^()]{0,300}\)))?"""
_TARGET = r"(?:<(?P<angled>[^<>\n]{0,4000})>|(?P<plain>[^\s<>()]{0,4000}(?:\([^\s<>()]{0,400}\)[^\s<>()]{0,400}){0,3}))"
_INLINE = re.compile(r"(?:!?\[(?P<words>[^\[\]]{0,1000}))?\]\(\s{0,8}" + _TARGET + _TITLE + r"\s{0,8}\)?")
_DEFINITION = re.compile(
    r"^[ >*+\-0-9.]{0,12}\[(?P<words>(?:[^\[\]\n\\]|\\.){1,200})\]:\s{0,8}" + _TARGET + _TITLE, re.MULTILINE
)
_TAG = re.compile(r"<[A-Za-z!/][^<>]{0,8000}>?")
_ATTRIBUTE = re.compile(
    r"""\b(?:src|href|srcset|action|formaction|poster|background|data|cite|ping|manifest|content|style|xlink:href)\s{0,8}="""
    r"""\s{0,8}(?:"(?P<double>[^"]{0,8000})|'(?P<single>[^']{0,8000})|(?P<bare>[^\s"'>]{1,8000}))""",
    re.IGNORECASE,
)
_CSS = re.compile(r"""(?:url\(|@import)\s{0,8}["']?(?P<css>[^\s"')]{0,4000})["']?\s{0,8}\)?""", re.IGNORECASE)
_LOOSE = re.compile(
    r"""(?:(?<![a-z])(?:https?|ftps?|wss?)\s{0,2}:(?:\s{0,2}[/\\]){1,4}|(?<!\w)www\.(?=\w))[^\s<>"'`\[\]{}|^]{0,4000}""",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_TRAILING = ").,;:!?*_~"
_PICTURES = ("data:image/png;", "data:image/jpeg;", "data:image/gif;", "data:image/webp;")
_SCHEME = re.compile(r"([a-z][a-z0-9+.\-]{0,30}):")
_HARMLESS = frozenset({"mailto", "tel", "sms", "cid"})
_HOSTED = frozenset({"http", "https", "ftp", "ftps", "ws", "wss"})
_HOST = re.compile(r"(?:\*?\.)?[^\s/:@*]+")


@makes_rail
def no_foreign_links(
    allow: Iterable[str] = (),
    *,
    action: Literal["rewrite", "block"] = "rewrite",
    places: Iterable[Place] = ("output",),
) -> Rail:
    """Put `[link removed]` where a link or an image leads elsewhere than to the hosts in `allow`, or block.

    A host allows itself only; `*.example.com` allows those below it. The words of a link stay.

    Raises:
        UserError: A host in `allow` is none, such as one with a scheme or a path.
    """
    hosts = [allow] if isinstance(allow, str) else list(allow)
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise UserError(f"no_foreign_links: {host!r} is no host; write example.com or *.example.com")
    return _Links(frozenset(_plain(host) for host in hosts), action == "block", places)


class _Links(TextRail):
    name = "no_foreign_links"
    window = 2048

    def __init__(self, allow: frozenset[str], block: bool, places: Iterable[Place]) -> None:
        self._allow, self._block, self.places = allow, block, checked_places(places, self.name)

    def look(self, text: str, before: str = "") -> Decision:
        rest, gone = self._without(text)
        if not gone:
            return Allow()
        if not self._block:
            for _ in range(PASSES):
                again, more = self._without(rest)
                if not more:
                    return Rewrite(rest, f"{gone} foreign links taken out", self.name)
                rest = again
        return Block(f"{gone} links to hosts that are not allowed", self.name)

    def _without(self, text: str) -> tuple[str, int]:
        """The text with its foreign links replaced, and how many these were."""
        gone = 0
        for pattern, put in (
            (_INLINE, self._words),
            (_DEFINITION, self._words),
            (_TAG, self._tag),
            (_ATTRIBUTE, self._tag),
            (_CSS, self._css),
            (_LOOSE, self._loose),
        ):
            if pattern is _ATTRIBUTE and "<" not in text:
                continue
            before = text.count(GONE)
            text = pattern.sub(put, text)
            gone += text.count(GONE) - before
        return text, gone

    def _words(self, found: re.Match[str]) -> str:
        if not self._foreign(found["angled"] or found["plain"] or ""):
            return found[0]
        return f"] {GONE}" if found["words"] is None else f"{found['words']} {GONE}".lstrip()

    def _tag(self, found: re.Match[str]) -> str:
        return GONE if any(map(self._foreign, _addresses(found[0]))) else found[0]

    def _css(self, found: re.Match[str]) -> str:
        return GONE if self._foreign(found["css"]) else found[0]

    def _loose(self, found: re.Match[str]) -> str:
        address = found[0].rstrip(_TRAILING)
        full = f"http://{address}" if address[:4].lower() == "www." else address
        return GONE + found[0][len(address) :] if self._foreign(full) else found[0]

    def _foreign(self, address: str) -> bool:
        """Whether it leads to a host that is not allowed, however a renderer reads its backslashes."""
        plain = html.unescape(address)
        readings = {plain.replace("\\", "/"), _ESCAPED.sub(r"\1", plain)}
        return any(self._leads_away(re.sub(r"[\s\x00-\x1f]", "", reading).lower()) for reading in readings)

    def _leads_away(self, address: str) -> bool:
        scheme = _SCHEME.match(address)
        if scheme is None and not address.startswith("//"):
            return False
        if scheme is not None and scheme[1] not in _HOSTED:
            return scheme[1] not in _HARMLESS and not address.startswith(_PICTURES)
        rest = address[scheme.end() :] if scheme else address
        authority = unquote(re.split(r"[/?#]", rest.lstrip("/"), maxsplit=1)[0])
        host = _plain(authority.rpartition("@")[2].partition(":")[0])
        return not any(host == each or (each[0] == "*" and host.endswith(each[1:])) for each in self._allow)


def _addresses(tag: str) -> Iterable[str]:
    """Every address in a tag: an autolink is one itself, others stand in attributes."""
    inner = tag[1:].rstrip(">")
    if _SCHEME.match(inner.lower()):
        yield inner
    for found in _ATTRIBUTE.finditer(tag):
        value = found["double"] or found["single"] or found["bare"] or ""
        for part in re.split(r"[,\s]+(?=\S*(?:/|:))|url=|url\(", html.unescape(value), flags=re.IGNORECASE):
            yield part.strip("\"' ()")


def _plain(host: str) -> str:
    """A host as it is compared: one writing of each character, no dot at its end."""
    plain = unicodedata.normalize("NFKC", host).replace("\u3002", ".").casefold().rstrip(".")
    return f"*{plain}" if plain.startswith(".") else plain
