"""Who somebody is: names and dates of birth, papers and plates behind a word for them. Text in, findings out.

A name alone is not looked for: that takes a model. One is found behind a field that can hold nothing else, behind a
form of address, and where somebody says theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding, holds
from segue.tracing.pii.words import said

_MONTHS = (
    "jan|feb|mar|mär|maar|apr|may|mai|maj|mei|jun|jul|aug|ago|sep|set|oct|okt|ott|out|nov|dec|dez|dic|déc|dis|ene|gen"
    "|fév"
    "|fev|avr|abr|juin|juil|août|aoû|mag|giu|lug|styc|lut|kwi|cze|lip|sie|wrz|paź|lis|gru|янв|фев|мар|апр|мая|июн|июл"
    "|авг"
    "|сен|окт|ноя|дек"
)
_DATE = lazy_pattern(
    r"(?<![\w.])(?:(?:19|20)[0-9]{2}[./\-][0-9]{1,2}[./\-][0-9]{1,2}"
    r"|[0-9]{1,2}(?:\.|/|-|\. )[0-9]{1,2}(?:\.|/|-|\. )(?:(?:19|20)[0-9]{2}|[0-9]{2})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|er|\.)?[ \-](?:of |de )?(?:{_MONTHS})[^\W\d_]{{0,9}}\.?,?[ \-](?:de |del )?(?:19"
    rf"|20)[0-9]{{2}}"
    rf"|(?:{_MONTHS})[^\W\d_]{{0,9}}\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? (?:19|20)[0-9]{{2}}"
    r"|(?:19|20)[0-9]{2} ?[年년] ?[0-9]{1,2} ?[月월] ?[0-9]{1,2} ?[日일])(?!\w)",
    re.IGNORECASE,
)
_PLATE = lazy_pattern(
    r"(?:plate|plates|plate number|number plate|registration|reg\. ?no|kennzeichen|nummernschild|immatriculation"
    r"|matrícula"
    r"|matricula|targa|placa|plaque|kenteken|rejestracyjny|rejestracyjna|regnr|rekisteritunnus|plaka|номер авто"
    r"|госномер)"
    r"(?: (?:number|no|nr|is|ist|est|es|è|mark|lautet))?\.?\W{1,4}"
    r"([A-ZÄÖÜА-Я0-9]{1,4}[ \-·]?[A-ZÄÖÜА-Я0-9]{1,6}(?:[ \-][A-ZА-Я0-9]{1,6}){0,2})(?![\w\-])",
    re.IGNORECASE,
)
_COORDINATES = lazy_pattern(
    r"(?<![\w.])-?[0-9]{1,3}\.[0-9]{4,}(?:\s?°?\s?[NS])?(?:[,;/]\s?|\s|\"?, ?\"?(?:lng|lon|longitude)\"?: ?\"?)"
    r"-?[0-9]{1,3}\.[0-9]{4,}(?:\s?°?\s?[EWO])?(?![\w.])"
)
_UP = "A-ZÀ-ÖØ-ÞĀ-ŽİА-ЯЁІЇЄΑ-ΩΆ-Ώ"
_CAPITAL = rf"[{_UP}][\w'’]{{1,24}}(?:-[{_UP}][\w'’]{{1,24}})?"
_WORD = rf"(?:(?:[A-Z][\w.\-]{{0,8}}\.) {_CAPITAL}|{_CAPITAL}|[A-Z]\.)"
_LINK = r"(?:(?:van|von|de|del|della|di|da|dos|du|la|le|bin|ibn|al|el|der|den|ter|zu|Mc|O')[ ']){0,2}"
_NAME = rf"({_WORD}(?: {_LINK}{_WORD}){{0,3}})"
_FIELD_NAMES = frozenset(
    "fullname firstname lastname givenname familyname surname forename maidenname legalname customer customername"
    " clientname patient patientname employee employeename cardholder cardholdername accountholder accountholdername"
    " beneficiary beneficiaryname applicant applicantname recipient recipientname contactperson contactname"
    " emergencycontact nextofkin passenger passengername guest guestname tenantname signed signedby attn student"
    " studentname nameoncard vorname nachname familienname geburtsname kontoinhaber ansprechpartner"
    " ansprechpartnerin patientin empfänger karteninhaber kundenname nomdefamille nometprénom prénom nomcomplet"
    " titulaire"
    " nombrecompleto nombreyapellidos apellido apellidos nombre paciente titular nomecompleto nomeecognome cognome"
    " paziente intestatario sobrenome achternaam voornaam imięinazwisko nazwisko imię efternamn förnamn etternavn"
    " fornavn"
    " efternavn sukunimi etunimi adsoyad soyad фио имя фамилия".split()
)  # fmt: skip
_CAPITAL_AT = lazy_pattern(r"[ :=\t\n\"'“,][^\W\d_a-z](?=[^\W\d_A-Z]|['’.])")
_BARE_FIELDS = frozenset(
    "cardholder patient patientin passenger beneficiary applicant employee customer client kunde kundin tenant mieter"
    " paciente paziente holder member student guest user colleague kollege kollegin employé salarié cliente".split()
)
"""Words that a given name may follow without a sign between."""
_BEFORE = lazy_pattern(r"[^\W\d]+")
_VALUE = lazy_pattern(_NAME)
_PLAIN_NAME = lazy_pattern(
    r"(?:(?<![\w.\-][ _\-])(?<![\w_\-]))[\"']?(?:[Nn]ame|NAME|[Nn]om|[Nn]aam|[Nn]amn|[Nn]avn|[Nn]ome|[Ii]sim|Имя"
    r"|ФИО)[\"']?\s?[:=]\s?[\"']?" + _NAME
)
_SCRIPT_NAME = lazy_pattern(
    r"(?:姓名|氏名|名前|お名前|患者|患者名|이름|성명|환자|客户|联系人|收件人)[\"']?\s?(?:[:：=]\s?[\"']?|是|は)"
    r"([\u4e00-\u9fff]{1,4}[ \u3000]?[\u3040-\u9fff]{1,4}|[가-힣]{2,5}|[A-Z][a-z]+(?: [A-Z][a-z]+){1,2})"
)
_GIVEN = frozenset(
    "curtis lauren deborah nicole logan erica brenda randy alexis joshua katie warren stephanie hayley christine alan"
    " natasha"
    " eilish rhiannon zac ernst damian niklas laila gabriel leonie karl gregory raymond jerry dennis walter patrick"
    " aaron"
    " tyler adam nathan zachary kyle carl keith roger terry sean austin noel dorothy kimberly carolyn janet catherine"
    " heather"
    " diane ruth virginia kathleen pamela martha debra amy angela melissa rebecca cynthia helen joan evelyn judith"
    " megan"
    " cheryl andrea jacqueline gloria teresa sara janice hannah madison frances kathryn ella ava abigail harper amelia"
    " lily"
    " zoe chloe lucy ruby freya isla poppy jessie rachel claire fiona gareth nigel graham ian neil callum connor declan"
    " sinead niamh aoife siobhan liam rory dieter günter gunter horst helmut manfred rolf uwe bernd jens tobias"
    " sebastian"
    " florian dominik philipp simon benedikt renate ingrid helga gisela karin brigitte katharina franziska theresa"
    " juliane"
    " nicolas julien antoine guillaume mathieu olivier philippe alain bernard isabelle nathalie sylvie céline celine"
    " élodie"
    " elodie manon inès amélie raúl raul sergio jorge álvaro alvaro enrique francisco pablo andrés andres mateo"
    " valentina"
    " camila ximena guadalupe rosario dolores beatriz cristina marta irene silvia matteo lorenzo davide simone federico"
    " riccardo valentina martina elisa alessia paola gabriela fernanda juliana mariana rafael thiago gustavo bruno"
    " vinicius"
    " larissa beatriz khalid abdullah omar youssef karim samir leila layla noor zainab amina mariam yasmin ravi suresh"
    " ramesh"
    " anil sunil rakesh pooja kavita lakshmi sita kiran deepa rohan aditya ananya ishaan sofía jin jun chen xiaoming"
    " hui yan"
    " mei lin ying naoko akira haruka satoshi minjun seoyeon jiwoo kwame kofi ama chidi ngozi amara tunde zanele thabo"
    " sipho"
    " lerato nomsa jakub tomasz krzysztof andrzej magdalena joanna ewa tomáš tomas jana petr zuzana lukáš istván"
    " istvan lászló"
    " gábor zoltán katalin éva ion andrei ioana elena mihai stefan dragan milan jovana nikola ana luka ivana georgi"
    " dimitar"
    " yannis giorgos nikos eleni konstantinos emre can elif zeynep murat ahmet hüseyin john-paul jean-pierre hans-georg"
    " karl-heinz".split()
) | frozenset(
    "james john robert michael william david richard joseph thomas charles daniel matthew mark paul steven andrew"
    " george"
    " kevin brian edward ronald anthony jason jeff ryan jacob gary eric peter stephen scott alice ann anna anne maria"
    " mary"
    " patricia jennifer linda elizabeth barbara susan jessica sarah karen nancy lisa betty margaret sandra ashley emily"
    " donna michelle carol amanda jane emma olivia sophia sofia isabella mia charlotte julia laura lena lea hannah"
    " johanna"
    " lukas leon finn jonas paul felix max maximilian hans klaus jürgen jurgen wolfgang stefan andreas markus martin"
    " ursula petra sabine monika claudia birgit pierre jean jacques marie claire camille lucas louis hugo chloé chloe"
    " carlos josé jose juan luis miguel javier antonio manuel carmen pilar lucía lucia ana pedro joão joao paulo luiz"
    " giulia marco luca giuseppe francesco giovanni alessandro chiara francesca ahmed mohammed muhammad mohamed ali"
    " omar"
    " fatima aisha yusuf hassan ibrahim mustafa mehmet ayşe wei li ming jing hiroshi yuki kenji sakura takashi min ji"
    " priya raj rahul amit anjali sanjay vijay deepak neha arjun ivan olga dmitri sergei natalia elena irina alexei"
    " alexander alexandra marek piotr jan katarzyna agnieszka pawel ingrid lars erik anders björn sven astrid nils"
    " henrik"
    " sanne bram daan femke jan pieter samuel benjamin noah liam ethan grace victor viktor oscar rosa diego alejandro"
    " ricardo fernando roberto eduardo sophie nina eva laura kate tom tim sam ben bob joe"
    " jack harry oliver henry".split()
)  # fmt: skip
_NOT_NAMES = frozenset(
    "blue red green widget build test deploy production server service project file item product step job gizmo the"
    " this that your our my a an unknown none null true false test user admin required optional please enter name"
    " field value string text first last here there and or not is with from calling speaking important it what how bean"
    " pepper proper right big good".split()
)  # fmt: skip
_TITLES = frozenset(
    "mr mrs ms mx prof dr sr sra srta dott dott.ssa mme mlle ing hr fr miss herr herrn frau monsieur madame señor"
    " señora signor"
    " signora senhor senhora pan pani pana meneer mevrouw doctor doña".split()
)  # fmt: skip
_SAYINGS = (
    "name is", "am called", "ich heiße", "ich heisse", "name ist", "m'appelle", "m’appelle", "me llamo", "nombre es",
    "mi chiamo", "nome è", "nome é", "chamo-me", "naam is", "ik heet", "nazywam się", "jag heter", "jeg heter",
    "jeg hedder",
    "nimeni on", "jmenuji se", "mă numesc", "benim adım", "this is", "sincerely", "regards", "freundlichen grüßen",
    "cordialement", "saludos", "зовут", "isim", "namn är", "navn er",
)  # fmt: skip
_LAST = tuple({each[-2:] for each in _SAYINGS})
"""What stands right before the name of somebody who says it."""
_BIRTHS = ("born", "birth", "geb", "dob", "naiss", "naci", "nat", "né", "nasc",
           "født", "fød", "föd", "synty", "urodz", "naro",
           "szül", "doğ", "născ", "născ", "rođ", "рожд", "роди", "生", "생", "เกิด", "जन्म", "lahir", "sinh", "γέν",
           "γεν", "bday",
           "الميلاد", "לידה", "geboor")  # fmt: skip
_PRECISE = lazy_pattern(r"\.[0-9]{4}")
_PLATES = ("plate", "registration", "reg.", "kennzeichen", "nummernschild", "immatriculation", "matrícula", "matricula",
           "targa", "placa", "plaque", "kenteken", "rejestracyj", "regnr", "rekister", "plaka", "номер")  # fmt: skip


def birth_dates(text: str, lowered: str) -> Iterator[Finding]:
    """Dates behind a word that says they are of a birth, from 1900 on."""
    for match in _DATE.finditer(text) if holds(lowered, _BIRTHS) else ():
        if "birth" in said(text, match.start()):
            yield Finding("birth_date", match.start(), match.end())


def coordinates(text: str) -> Iterator[Finding]:
    """Two precise numbers behind a word for where somebody is."""
    for match in _COORDINATES.finditer(text) if _PRECISE.search(text) else ():
        if "location" in said(text, match.start()) or re.search(
            r"(?:lat|latitude|gps|geo)[\"']?\s?[:=]\s?[\"']?$", text[max(0, match.start() - 16) : match.start()], re.I
        ):
            yield Finding("location", match.start(), match.end())


def plates(text: str, lowered: str) -> Iterator[Finding]:
    """Licence plates behind a word for one."""
    for match in _PLATE.finditer(text) if holds(lowered, _PLATES) else ():
        plate = match[1]
        if any(char.isdigit() for char in plate) and any(char.isalpha() for char in plate) and plate.upper() == plate:
            yield Finding("plate", match.start(1), match.end(1))


def persons(text: str, lowered: str) -> Iterator[Finding]:
    """Names behind a clear word; a capital letter is what they begin with."""
    for match in _SCRIPT_NAME.finditer(text) if not text.isascii() else ():
        yield Finding("person", match.start(1), match.end(1))
    for match in _CAPITAL_AT.finditer(text):
        at = match.start() + 1
        end = match.start()
        while end > 0 and text[end] in " \t\"'“,\n" and at - end < 5:
            end -= 1
        if text[end] in ":=\t":
            yield from _field(text, lowered, end, at)
            continue
        said = lowered[max(0, end - 20) : end + 1]
        last = said[max(said.rfind(" "), said.rfind("\n")) + 1 :]
        title = last.strip(".,(\"'[")
        titled = title in _TITLES and at - end <= 2 and text[end + 1 - len(last) : end + 1].strip("(\"'[")[:1].isupper()
        told = last in _BARE_FIELDS or (not titled and said.endswith(_LAST) and said.endswith(_SAYINGS))
        if (titled or told) and (found := _VALUE.match(text, at)) is not None:
            first = found[1].split()[0].lower().rstrip(".")
            unsure = last in _BARE_FIELDS or said.endswith("this is")
            if first not in _NOT_NAMES and first not in _TITLES and (first in _GIVEN or not unsure):
                yield Finding("person", found.start(1), found.end(1))


def named(text: str, found: list[Finding]) -> Iterator[Finding]:
    """What stands behind a plain `name:`; where other personal data is about, any two words that could be one."""
    for match in _PLAIN_NAME.finditer(text):
        words = match[1].lower().split()
        if len(words) >= 2 and _NOT_NAMES.isdisjoint(words) and (words[0] in _GIVEN or found):
            yield Finding("person", match.start(1), match.end(1))


def _field(text: str, lowered: str, sign: int, at: int) -> Iterator[Finding]:
    """The name at this place, where what stands before the sign is a field for one."""
    words = _BEFORE.findall(lowered[max(0, sign - 28) : sign].rpartition("\n")[2])
    words = [part for word in words[-3:] for part in word.split("_") if part]
    keys = {"".join(words[-size:]) for size in (1, 2, 3) if words}
    known = not keys.isdisjoint(_FIELD_NAMES)
    if not known:
        return
    match = _VALUE.match(text, at)
    if match is None or (first := match[1].split()[0].lower()) in _NOT_NAMES or first in keys:
        return
    yield Finding("person", match.start(1), match.end(1))
