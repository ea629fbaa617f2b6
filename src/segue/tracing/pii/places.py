"""Where somebody lives: postal addresses in the common forms of many countries. Text in, findings out.

A street needs its number, and a town with its code behind it, or a word that says it is an address, unless the street's
own word can mean nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.tracing.finding import Finding

_UP = "A-ZÀ-ÖØ-ÞĀ-ŽŁŚŻŹĆА-ЯΑ-Ω"
_TOWN = rf"(?:[{_UP}][\w'’.\-]{{1,24}}(?: (?:am|an der|im|bei|sur|de|del|la|el|di|do|dos|da|of|on|y|[{_UP}][\w'’.\-]{{1,24}})){{0,4}})"
_ENGLISH = re.compile(
    r"[0-9]{1,6}[A-Za-z]?(?:[\-/][0-9]{1,5}[A-Za-z]?)?,? (?:(?:[NSEW]|NE|NW|SE|SW|North|South|East|West)\.? )?"
    r"(?:[A-Z0-9][\w'’.\-]{0,20} ){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Ter|Close"
    r"|Crescent|Cres|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Loop|Gardens|Grove|Mews|Row|Walk|Quay|Hill|Park|Rise"
    r"|Green|Alley|Plaza|Pike|Turnpike|Parade|Esplanade|Expressway|Path|Run|Ridge|View|Point|Village|Station|Islands?"
    r"|Marg|Nagar|Colony|Layout|Cross|Crossing|Valley|Heights|Meadows?|Mill|Junction|Harbors?|Ports?|Gateway|Common|Mount"
    r"|Broadway)\b\.?"
)
_ENGLISH_REST = re.compile(
    r"(?:,? (?:North|South|East|West|NE|NW|SE|SW|N|S|E|W)\b\.?)?"
    r"(?:,?\s{1,2}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Rm|Room|No|#)\.? ?#?[A-Za-z0-9\-]{1,6})?"
    r"(?:,?\s{1,2}(?:[0-9]{1,2}(?:st|nd|rd|th) [Ff]loor))?"
    r"(?:,?\s(?:[A-Z][a-zà-ÿ'’.][\w'’.\-]{0,20})(?: [A-Z][a-zà-ÿ'’.][\w'’.\-]{0,20}){0,2}){0,2}"
    r"(?:,?\s(?:[A-Z]{2,3}))?(?:,?\s(?:[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]"
    r"|[0-9]{5}(?:-[0-9]{4})?|[0-9]{6}|[0-9]{4}|[0-9]{3} [0-9]{3}))?(?![\w])"
)
_ENGLISH_TOWN = re.compile(r"[0-9]{4,6}(?:-[0-9]{4})?$|[0-9][A-Z]{2}$|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]$|,? [A-Z]{2,3}$|[0-9]{3} [0-9]{3}$")
_CODE = (
    r"(?:[A-Z]{1,3}[\- ])?(?:[0-9]{4} ?[A-Z]{2}|[0-9]{5}-[0-9]{3}|[0-9]{2}-[0-9]{3}|[0-9]{3} [0-9]{2}|[0-9]{4}-[0-9]{3}|[0-9]{4,6})"
)
_CONTINENT = re.compile(
    r"[0-9]{1,4} ?[a-zA-Z]?(?:[/\-][0-9]{1,4}[a-zA-Z]?)?(?:,? (?:[0-9]{1,2}[º°ª.]{1,2} ?[\w.º°ª]{0,6}|bus [0-9]{1,4}|App?\.? ?[0-9]{1,3}|Top [0-9]{1,3}|Whg\.? [0-9]{1,3}))?"
    rf"(?:,\s{{1,2}}|\s?\n|,| – | - )(?:[^\n,;0-9]{{2,30}},\s)?{_CODE}\s{_TOWN}"
)
_STREET_BEFORE = re.compile(rf"(?:[{_UP}][\w'’.\-/]{{1,30}}(?: [\w'’.\-/]{{1,30}}){{0,5}}),? (?:n[º°r.]{{1,2}} ?|nr\.? )?$")
_TYPES = frozenset(
    "calle avenida avda avda. av. plaza paseo pº carrera cra. cra cl. camino ronda via viale piazza corso largo vicolo strada"
    " rua r. travessa praça alameda rodovia estrada ul. al. os. pl. ulica str. bulevardul bd. calea șoseaua улица ул."
    " проспект пр-т пр. пер. бул. вул. οδός λεωφόρος jalan jl. jln lorong rruga c/".split()
)  # fmt: skip
"""Words that stand before the name of a street."""
_BARE = frozenset("via largo corso strada carrera camino ronda r. al. os. pl. str. cl. calea".split())  # noqa: SIM905
"""Of these, those that mean something else too."""
_STREET_TYPED = re.compile(
    rf"(?<!\w)(?:{'|'.join(re.escape(each) for each in sorted(_TYPES, key=len, reverse=True))}) ?"
    rf"[{_UP}\d\w][\w'’.\-]{{0,25}}(?: [\w'’.\-]{{1,25}}){{0,5}},? (?:n[º°o.r]{{1,2}}\.? ?|#\s?|д\.\s?|No\.? ?)?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]{1,6}")
_FRENCH = re.compile(
    r"[0-9]{1,4}(?: ?bis| ?ter| ?[A-D])?,? (?:rue|avenue|av\.|boulevard|bd\.?|place|pl\.|chemin|impasse|allée|allee|quai|route|cours"
    r"|square|passage|faubourg|villa|sentier|résidence|Rue|Avenue|Boulevard|Place|Chemin|Impasse|Allée|Quai|Route|Cours)"
    r" [\w'’.\-]{1,25}(?: [\w'’.\-]{1,25}){0,5}?(?=[,\n;.\"'<)]|$| [0-9]{4,5} )"
)
_ENDINGS = ("weg", "platz", "ring", "damm", "ufer", "laan", "plein", "kade", "vej", "tie", "tér", "út", "stieg", "hof", "steig", "kai")
_SURE_ENDINGS = (
    "straße", "strasse", "str", "gasse", "allee", "straat", "gracht", "gatan", "vägen", "gade", "veien", "vegen", "katu",
    "utca", "körút", "caddesi", "cad", "sokak", "sok", "chaussee", "sıtesi",
)  # fmt: skip
"""What the name of a street ends in: those that mean little else, and before them others."""
_STREET_ENDED = re.compile(rf"(?:[{_UP}][\w.\-]{{1,30}} ){{0,2}}[\w.\-]{{3,40}}\.? (?:No:? ?)?$")
_HOUSE = re.compile(r"[0-9]{1,5} ?[A-Za-zА-Я]?(?:[/\-][0-9]{1,4}[A-Za-z]?)?(?![\w])")
_REST = re.compile(
    r"(?:,? (?:North|South|East|West|NE|NW|SE|SW|N|S|E|W)\b\.?)?"
    r"(?:,?\s{1,2}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Rm|Room|No|#)\.? ?#?[A-Za-z0-9\-]{1,6})?"
    r"(?:,?\s{1,2}(?:[0-9]{1,2}(?:st|nd|rd|th) [Ff]loor))?"
    r"(?:,?\s(?:[A-Z][a-zà-ÿ'’.][\w'’.\-]{0,20})(?: [A-Z][a-zà-ÿ'’.][\w'’.\-]{0,20}){0,2}){0,2}"
    r"(?:,?\s(?:[A-Z]{2,3}))?(?:,?\s(?:[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]"
    r"|[0-9]{5}(?:-[0-9]{4})?|[0-9]{6}|[0-9]{4}|[0-9]{3} [0-9]{3}))?(?![\w])"
)
_ENGLISH_TOWN = re.compile(r"[0-9]{4,6}(?:-[0-9]{4})?$|[0-9][A-Z]{2}$|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]$|,? [A-Z]{2,3}$|[0-9]{3} [0-9]{3}$")
_CODE = (
    r"(?:[A-Z]{1,3}[\- ])?(?:[0-9]{4} ?[A-Z]{2}|[0-9]{5}-[0-9]{3}|[0-9]{2}-[0-9]{3}|[0-9]{3} [0-9]{2}|[0-9]{4}-[0-9]{3}|[0-9]{4,6})"
)
_CONTINENT = re.compile(
    r"[0-9]{1,4} ?[a-zA-Z]?(?:[/\-][0-9]{1,4}[a-zA-Z]?)?(?:,? (?:[0-9]{1,2}[º°ª.]{1,2} ?[\w.º°ª]{0,6}|bus [0-9]{1,4}|App?\.? ?[0-9]{1,3}|Top [0-9]{1,3}|Whg\.? [0-9]{1,3}))?"
    rf"(?:,\s{{1,2}}|\s?\n|,| – | - )(?:[^\n,;0-9]{{2,30}},\s)?{_CODE}\s{_TOWN}"
)
_STREET_BEFORE = re.compile(rf"(?:[{_UP}][\w'’.\-/]{{1,30}}(?: [\w'’.\-/]{{1,30}}){{0,5}}),? (?:n[º°r.]{{1,2}} ?|nr\.? )?$")
_TYPES = frozenset(
    "calle avenida avda avda. av. plaza paseo pº carrera cra. cra cl. camino ronda via viale piazza corso largo vicolo strada"
    " rua r. travessa praça alameda rodovia estrada ul. al. os. pl. ulica str. bulevardul bd. calea șoseaua улица ул."
    " проспект пр-т пр. пер. бул. вул. οδός λεωφόρος jalan jl. jln lorong rruga c/".split()
)  # fmt: skip
"""Words that stand before the name of a street."""
_BARE = frozenset("via largo corso strada carrera camino ronda r. al. os. pl. str. cl. calea".split())  # noqa: SIM905
"""Of these, those that mean something else too."""
_STREET_TYPED = re.compile(
    rf"(?<!\w)(?:{'|'.join(re.escape(each) for each in sorted(_TYPES, key=len, reverse=True))}) ?"
    rf"[{_UP}\d\w][\w'’.\-]{{0,25}}(?: [\w'’.\-]{{1,25}}){{0,5}},? (?:n[º°o.r]{{1,2}}\.? ?|#\s?|д\.\s?|No\.? ?)?$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]{1,6}")
_FRENCH = re.compile(
    r"[0-9]{1,4}(?: ?bis| ?ter| ?[A-D])?,? (?:rue|avenue|av\.|boulevard|bd\.?|place|pl\.|chemin|impasse|allée|allee|quai|route|cours"
    r"|square|passage|faubourg|villa|sentier|résidence|Rue|Avenue|Boulevard|Place|Chemin|Impasse|Allée|Quai|Route|Cours)"
    r" [\w'’.\-]{1,25}(?: [\w'’.\-]{1,25}){0,5}?(?=[,\n;.\"'<)]|$| [0-9]{4,5} )"
)
_SUFFIX = re.compile(
    r"(?<!\w)(?:[A-ZÄÖÜÅØ][\w\-]{1,30} ?)?[\w\-]{0,30}(?:straße|Straße|strasse|Strasse|str\.|Str\.|gasse|allee|Allee|straat|gracht|gatan|vägen|gade"
    r"|veien|vegen|katu|weg|platz|ring|damm|ufer|laan|plein|kade|vej|tie|utca|utca|út|tér|körút|caddesi|Caddesi|Cad\.|sokak|Sokak|Sok\.)"
    r"[ .] ?(?:No:? ?)?[0-9]{1,4} ?[a-zA-Z]?(?:[/\-][0-9]{1,4})?(?!\w)"
)
_SURE = re.compile(r"(?:stra(?:ß|ss)e|str\.|gasse|straat|gracht|gatan|vägen|veien|vegen|katu|utca|körút|caddesi|cad\.)[ .]", re.I)
_REST = re.compile(
    rf"(?:,? ?(?:[0-9]{{1,2}}[º°ª.]{{1,2}} ?[\w.º°ª]{{0,8}}|bus [0-9]{{1,4}}|кв\. ?[0-9]{{1,4}}|apto?\.? ?[0-9]{{1,4}}|Apto?\.? ?[0-9]{{1,4}}|m\. ?[0-9]{{1,4}}|lok\. ?[0-9]{{1,4}}|sc\. ?\w|ap\. ?[0-9]{{1,4}}))?"
    rf"(?:(?:,|\s?\n| [–\-])?\s?(?:[^\n,;0-9\"']{{2,30}}(?:,| -) ?)?{_CODE}(?:[ ,]{{1,2}}{_TOWN})?"
    rf"|,\s{_TOWN}(?: ?[,\-/] ?[A-Z]{{2}}\b)?(?:, {_CODE})?)?"
)
_ASIAN = re.compile(
    r"(?:〒?[0-9]{3}-[0-9]{4}\s?)?(?:東京都|北海道|京都府|大阪府|[\u4e00-\u9fff]{2,3}県)[\u3040-\u9fff]{1,20}[0-9０-９][0-9０-９\-－丁目番地号の]{0,16}"
    r"|(?:[\u4e00-\u9fff]{2,6}(?:省|自治区))?[\u4e00-\u9fff]{2,6}(?:市|區|区|县|縣)[\u4e00-\u9fff]{1,24}(?:路|街|道|巷|大道|胡同|村|里)[\u4e00-\u9fff0-9]{0,8}[0-9]{1,5}[号號弄樓楼室栋座单元层0-9\-]{0,16}"
    r"|[가-힣]{2,8}(?:시|도) [가-힣]{1,6}(?:구|군|시)(?: [가-힣]{1,6}[구동면])? [가-힣0-9]{1,10}(?:로|길|동) ?[0-9]{1,4}(?:-[0-9]{1,4})?"
)
_ASIAN_HINT = re.compile(r"[\u4e00-\u9fff가-힣][^\n]{0,40}[0-9０-９]")
_BOX = re.compile(r"(?:P\.? ?O\.? ?Box|Postfach|Apartado(?: de correos)?|Casilla|Caixa Postal|Boîte postale|B\.P\.) [0-9][0-9 ]{1,8}(?!\w)")
_SAID = re.compile(
    r"(?:(?<![\w])(?:(?:home|street|postal|mailing|billing|shipping|delivery|residential|current|my|her|his|their|full)[ _])?"
    r"address(?:[ _]line[ _]?1)?|[Aa]dresse|[Aa]nschrift|[Dd]irección|[Dd]omicilio|[Ii]ndirizzo|[Ee]ndereço|[Aa]dres|[Aa]dress[ea]|[Oo]soite|[Aa]dresa|"
    r"[Аа]дрес|住所|地址|주소|wohnhaft in|residing at|resides at|lives? at|living at|moved to|ship(?:ped)? to|deliver(?:ed)? (?:it )?to"
    r"|lieferung an|wohne in der|j'habite au|habite au|vivo en|abito in|moro na|mieszkam przy)"
    r"[\"']?(?: is| est| ist| lautet| es| è| é)?(?:\s?[:=]\s?|\s)[\"']?$",
    re.IGNORECASE,
)
_FIELD_HINT = re.compile(r"(?:ddress|DDRESS|nschrift|dresse|irección|omicilio|ndirizzo|ndereço|dres|дрес|住所|地址|주소)[\"']?\s?[:=：]")
_FIELD = re.compile(
    r"(?<!mail )(?<!e-)(?<!ip )(?<!mac )(?<!web )(?<!email_)(?<!mail_)(?<!ip_)(?<!let )(?<!ory )"
    r"(?:address|anschrift|adresse|dirección|domicilio|indirizzo|endereço|adres|адрес|住所|地址|주소)[\"']?\s?[:=：]\s?[\"']?"
    r"([^\n\"';|{}<>@]{8,90})",
    re.IGNORECASE,
)


def addresses(text: str) -> Iterator[Finding]:
    """Streets with their numbers, as far as the town behind them."""
    at = 0
    while number := _NUMBER.search(text, at):
        at = number.end()
        if text[number.start() - 1 : number.start()].isalnum() or text[at : at + 1].isdigit():
            continue
        found = _number_first(text, number.start()) or _street_first(text, number.start())
        if found is not None:
            yield found
            at = max(at, found.end)
    for match in _BOX.finditer(text):
        yield Finding("address", match.start(), match.end())
    for match in _FIELD.finditer(text) if _FIELD_HINT.search(text) else ():
        value = match[1].rstrip(" .,")
        if any(char.isdigit() for char in value) and value.count(" ") >= 2 and not value.startswith("0x"):
            yield Finding("address", match.start(1), match.start(1) + len(value))
    if not text.isascii() and _ASIAN_HINT.search(text):
        for match in _ASIAN.finditer(text):
            yield Finding("address", match.start(), match.end())


def _number_first(text: str, at: int) -> Finding | None:
    if text[at - 1 : at] in (".", ",", "/", "-") and at > 1 and not text[at - 2].isspace():
        return None
    if match := _ENGLISH.match(text, at):
        rest = _ENGLISH_REST.match(text, match.end())
        end = rest.end() if rest else match.end()
        if _ENGLISH_TOWN.search(text, match.end(), end) or _announced(text, at):
            return Finding("address", at, end)
    if match := _FRENCH.match(text, at):
        return Finding("address", at, _rest(text, match.end()))
    return None


def _street_first(text: str, at: int) -> Finding | None:
    before = text[max(0, at - 72) : at].rpartition("\n")[2]
    words = before.split()
    if not words or before[-1] not in " .#º°:" or not words[-1].strip(".,").isalpha() and len(words) < 2:
        return None
    last = words[-1].strip(".,:").lower()
    if match := _CONTINENT.match(text, at):
        street = _STREET_BEFORE.search(before)
        if street is not None:
            return Finding("address", at - len(street[0]), match.end())
    house = _HOUSE.match(text, at)
    if house is None:
        return None
    if last.endswith((*_SURE_ENDINGS, *_ENDINGS)) and (street := _STREET_ENDED.search(before)):
        start, end = at - len(street[0]), _rest(text, house.end())
        sure = last.endswith(_SURE_ENDINGS) and len(last) > 4
        if sure or end > house.end() or _announced(text, start):
            return Finding("address", start, end)
    typed = [word.lower() for word in words if word.lower() in _TYPES or word.startswith(("C/", "c/"))]
    if typed and (street := _STREET_TYPED.search(before)):
        start, end = at - len(street[0]), _rest(text, house.end())
        if typed[-1] not in _BARE or end > house.end() or _announced(text, start):
            return Finding("address", start, end)
    return None


def _rest(text: str, at: int) -> int:
    """The end of the town behind a street; `at` where there is none."""
    rest = _REST.match(text, at)
    return rest.end() if rest else at


def _announced(text: str, at: int) -> bool:
    return _SAID.search(text[max(0, at - 32) : at]) is not None
