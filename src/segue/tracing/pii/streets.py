"""What postal addresses look like: the patterns of `places`. Each begins with a digit or is tried at one place."""

from __future__ import annotations

import re

from segue.base.patterns import lazy_pattern

UP = "A-ZÀ-ÖØ-ÞĀ-ŽА-ЯΑ-Ω"
TOWN = (
    rf"(?:[{UP}][\w'’.\-]{{1,24}}"
    rf"(?: (?:am|an der|im|bei|sur|de|del|la|el|di|do|dos|da|of|on|y|[{UP}][\w'’.\-]{{1,24}})){{0,4}})"
)
CODE = (
    r"(?:[A-Z]{1,3}[\- ])?(?:[0-9]{4} ?[A-Z]{2}|[0-9]{5}-[0-9]{3}|[0-9]{2}-[0-9]{3}|[0-9]{3} [0-9]{2}"
    r"|[0-9]{4}-[0-9]{3}|[0-9]{4,6})(?![\w])"
)
"""A postcode as most countries write it."""

NUMBER_FIRST = lazy_pattern(
    r"[0-9][0-9]{0,5}[A-Za-z]?(?:[\-/][0-9A-Za-z]{1,5})?(?: ?bis| ?ter)?,? (?:[A-Z](?:[a-z'’]|[EW]?\.? [A-Z])"
    r"|[0-9]+(?:st|nd|rd|th) |rue|av|boul|bd|pl|chem|imp|all|quai|route|cours|pass|square|faub|villa|sent|rés)"
)
"""What a street with its number first begins with."""
ENGLISH = lazy_pattern(
    r"[0-9]{1,6}[A-Za-z]?(?:[\-/][0-9]{1,5}[A-Za-z]?)?,? (?:(?:[NSEW]|NE|NW|SE|SW|North|South|East|West)\.? )?"
    r"(?:[A-Z0-9][\w'’.\-]{0,20} ){1,4}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Square|Sq|Terrace|Ter|Close"
    r"|Crescent|Cres|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Trl|Loop|Gardens|Grove|Mews|Row|Walk|Quay|Hill|Park|Rise"
    r"|Green|Alley|Plaza|Pike|Turnpike|Parade|Esplanade|Expressway|Path|Run|Ridge|View|Point|Village|Islands?|Marg"
    r"|Nagar"
    r"|Colony|Layout|Cross|Crossing|Valley|Heights|Meadows?|Mill|Junction|Harbors?|Gateway|Common|Mount|Broadway)\b\.?"
)
ENGLISH_REST = lazy_pattern(
    r"(?:,? (?:North|South|East|West|NE|NW|SE|SW|N|S|E|W)\b\.?)?"
    r"(?:,?\s{1,2}(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|Rm|Room|No|#)\.? ?#?[A-Za-z0-9\-]{1,6})?"
    r"(?:,?\s{1,2}[0-9]{1,2}(?:st|nd|rd|th) [Ff]loor)?"
    r"(?:,?\s[A-Z][a-zà-ÿ'’.][\w'’.\-]{0,20}(?: [A-Z][a-zà-ÿ'’.][\w'’.\-]{0,20}){0,2}){0,2}"
    r"(?:,?\s[A-Z]{2,3}\b)?(?:,?\s(?:[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]"
    r"|[0-9]{5}(?:-[0-9]{4})?|[0-9]{6}|[0-9]{4}|[0-9]{3} [0-9]{3})(?![\w]))?"
)
ANY_STREET = lazy_pattern(
    r"[0-9]{1,6}[A-Za-z]?(?:[\-/][0-9]{1,5})?,? (?:[A-Z][\w'’.\-]{1,20} ?){1,4}"
    r"(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|#)\.? ?#?[A-Za-z0-9\-]{1,6})?(?:[,\n]|,"
    r" )\s?(?:[A-Z][a-zà-ÿ'’.\-]{1,24} ?){1,3}"
    r"(?:,? [A-Z]{2,3},? (?:[0-9]{4,5}(?:-[0-9]{4})?|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9])|[,\n"
    r" ]\s?[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2})(?!\w)"
)
"""A number and any name, where a state and its code, or a British postcode, are behind the town."""
ENGLISH_TOWN = lazy_pattern(
    r"[0-9]{4,6}(?:-[0-9]{4})?$|[0-9][A-Z]{2}$|[A-Z][0-9][A-Z] ?[0-9][A-Z][0-9]$|,? [A-Z]{2,3}$|[0-9]{3} [0-9]{3}$"
)
FRENCH = lazy_pattern(
    r"[0-9]{1,4}(?: ?bis| ?ter| ?[A-D])?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d\.?|[Pp]lace|pl\.|[Cc]hemin"
    r"|[Ii]mpasse|[Aa]ll[ée]e|[Qq]uai|[Rr]oute|[Cc]ours|square|passage|faubourg|villa|sentier|résidence)"
    r" [\w'’.\-]{1,25}(?: [\w'’.\-]{1,25}){0,5}?(?=[,\n;.\"'<)]|$| [0-9]{4,5} )"
)

HOUSE_AT = lazy_pattern(r"[ .#º°:\u00a0][0-9]{1,5}(?![0-9.])")
"""What a number behind the name of its street begins with."""
HOUSE = lazy_pattern(r"[0-9]{1,5} ?[A-Za-zА-Я]?(?:[/\-][0-9]{1,4}[A-Za-z]?)?(?![\w])")
TAIL = lazy_pattern(r"[,\n–\-] ?(?:[A-Z]{1,2}-)?[0-9]{2,5}")
"""A postcode may stand here."""
CONTINENT = lazy_pattern(
    r"[0-9]{1,4} ?[a-zA-Z]?(?:[/\-][0-9]{1,4}[a-zA-Z]?)?(?:,? (?:[0-9]{1,2}[º°ª.]{1,2} ?[\w.º°ª]{0,6}|bus [0-9]{1,4}"
    r"|App?\.? ?[0-9]{1,3}|Top [0-9]{1,3}|Whg\.? [0-9]{1,3}))?"
    rf"(?:,\s{{1,2}}|\s?\n|,| – | - )(?:[^\n,;0-9]{{2,30}},\s)?{CODE}\s{TOWN}"
)
STREET_BEFORE = lazy_pattern(rf"[{UP}][\w'’.\-/]{{1,30}}(?: [\w'’.\-/]{{1,30}}){{0,5}},? (?:n[º°r.]{{1,2}} ?|nr\.? )?$")
TYPES = frozenset(
    "calle avenida avda avda. av. plaza paseo pº carrera cra. cra cl. camino ronda via viale piazza corso largo vicolo"
    " strada rua r. travessa praça alameda rodovia estrada ul. al. os. pl. ulica str. bulevardul bd. calea șoseaua"
    " улица"
    " ул. проспект пр-т пр. пер. бул. вул. οδός λεωφόρος jalan jl. jln lorong rruga c/".split()
)
"""Words that stand before the name of a street."""
BARE = frozenset("via largo corso strada carrera camino ronda r. al. os. pl. str. cl. calea".split())
"""Of these, those that mean something else too."""
STREET_TYPED = lazy_pattern(
    rf"(?<!\w)(?:{'|'.join(re.escape(each) for each in sorted(TYPES, key=len, reverse=True))}) ?"
    r"\w[\w'’.\-]{0,25}(?: [\w'’.\-]{1,25}){0,5},? (?:n[º°o.r]{1,2}\.? ?|#\s?|д\.\s?|No\.? ?)?$",
    re.IGNORECASE,
)
ENDINGS = (
    "weg", "platz", "ring", "damm", "ufer", "laan", "plein", "kade", "vej", "tie", "tér", "út", "stieg", "hof", "steig",
    "kai", "markt", "graben", "berg", "zeile", "promenade", "singel", "dijk", "torg", "plass",
)  # fmt: skip
SURE_ENDINGS = (
    "straße", "strasse", "str", "gasse", "allee", "straat", "gracht", "gatan", "vägen", "gade", "veien", "vegen",
    "katu",
    "utca", "körút", "caddesi", "cad", "sokak", "sok", "chaussee",
)  # fmt: skip
"""What the name of a street ends in: those that mean little else, and before them others."""
STREET_ENDED = lazy_pattern(rf"(?:[{UP}][\w.\-]{{1,30}} ){{0,2}}[\w.\-]{{3,40}}\.? (?:No:? ?)?$")
HINTS = (
    "straß", "strass", "str.", "gasse", "allee", "straat", "gracht", "gatan", "vägen", "gade ", "veien", "vegen",
    "katu",
    "utca", "körút", "caddesi", "cad.", "sok.", "sokak", "chauss", "calle", "c/", "aveni", "avda", "av.", "plaza",
    "paseo",
    "piazza", "viale", "rua ", "praça", "alameda", "rodovia", "ul.", "ulica", "улица", "ул.", "просп", "jalan", "jl.",
    "bulevar", "lorong", "travessa", "estrada",
)  # fmt: skip
"""One of these, or a postcode, is in a text with a street before its number."""
REST = lazy_pattern(
    r"(?:,? ?(?:[0-9]{1,2}[º°ª.]{1,2} ?[\w.º°ª]{0,8}|bus [0-9]{1,4}|кв\. ?[0-9]{1,4}|[Aa]pto?\.? ?[0-9]{1,4}"
    r"|m\. ?[0-9]{1,4}|lok\. ?[0-9]{1,4}|sc\. ?\w|ap\. ?[0-9]{1,4}))?"
    rf"(?:(?:,|\s?\n| [–\-])?\s?(?:[^\n,;0-9\"']{{2,30}}(?:,| -) ?)?{CODE}(?:[ ,]{{1,2}}{TOWN})?"
    rf"|,\s{TOWN}(?: ?[,\-/] ?[A-Z]{{2}}\b)?(?:, {CODE})?)?"
)
"""The town behind a street and its number."""

ASIAN_HINT = lazy_pattern("[\u3400-\u9fff\uac00-\ud7a3]")
ASIAN = lazy_pattern(
    r"(?:〒?[0-9]{3}-[0-9]{4}\s?)?(?:東京都|北海道|京都府|大阪府|[\u4e00-\u9fff]{2,3}県)[\u3040-\u9fff]{1,20}"
    r"[0-9０-９][0-9０-９\-－丁目番地号の]{0,16}"
    r"|(?:[\u4e00-\u9fff]{2,6}(?:省|自治区))?[\u4e00-\u9fff]{2,6}(?:市|區|区|县|縣)[\u4e00-\u9fff]{1,24}"
    r"(?:路|街|道|巷|胡同|村|里)[\u4e00-\u9fff0-9]{0,8}[0-9]{1,5}[号號弄樓楼室栋座单元层0-9\-]{0,16}"
    r"|[가-힣]{2,8}(?:시|도) [가-힣]{1,6}(?:구|군|시)(?: [가-힣]{1,6}[구동면])? [가-힣0-9]{1,10}(?:로|길|동)"
    r" ?[0-9]{1,4}(?:-[0-9]{1,4})?"
)
BOX = lazy_pattern(
    r"(?:P\.? ?O\.? ?Box|Postfach|Apartado(?: de correos)?|Casilla|Caixa Postal|Boîte postale|B\.P\.) [0-9][0-9"
    r" ]{1,8}(?!\w)"
)
BOX_WORDS = ("box", "postfach", "apartado", "casilla", "postal", "b.p.")
FIELD_WORDS = (
    "dress",
    "adres",
    "anschrift",
    "direcci",
    "domicilio",
    "indirizzo",
    "endere",
    "адрес",
    "住所",
    "地址",
    "주소",
)
FIELD = lazy_pattern(
    r"(?:address|anschrift|adresse|dirección|domicilio|indirizzo|endereço|adres|адрес|住所|地址|주소)"
    r"[\"']?\s?[:=：]\s?[\"']?([^\n\"';|{}<>@]{8,90})",
    re.IGNORECASE,
)
NO_FIELD = (
    "mail ",
    "e-",
    "ip ",
    "mac ",
    "web ",
    "mail_",
    "ip_",
    "let ",
    "ory ",
    "mail-",
    "ip-",
    "mac_",
    "bitcoin ",
    "btc ",
    "eth ",
)
"""What stands before `address` where no postal one is meant."""
SAID = lazy_pattern(
    r"(?:address(?:[ _]line[ _]?1)?|adresse|anschrift|dirección|domicilio|indirizzo|endereço|adres|adressa|osoite"
    r"|adresa"
    r"|адрес|住所|地址|주소|wohnhaft in|residing at|resides at|lives? at|live at|living at|moved to"
    r"|ship(?:ped)? (?:it )?to"
    r"|deliver(?:ed|y)? (?:it )?to|send (?:it )?to|lieferung an|wohne in der|habite au|vivo en|abito in|moro na"
    r"|mieszkam przy|located at|home is)[\"']?(?: is| est| ist| lautet| es| è| é)?(?:\s?[:=]\s?|\s)[\"']?$",
    re.IGNORECASE,
)
