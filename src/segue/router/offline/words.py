"""Plain English that belongs to no field: the words that rules may know.

Stop words, verbs sorted by what they do, prepositions with the roles they announce, numbers, months, units.
Nothing here names a product, a business or a tool; what a request is about is read from the tools' schemas alone.
"""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set: how the lists here and elsewhere are written."""
    return frozenset(text.split())


STOP = word_set("""
    a an the this that these those my your our their his her its me you i we us it he she they them mine yours ours
    is are was were be been being am do does did doing done have has had having will would shall can could should
    may might must please kindly just also too of for to from in on at by with without and or but not no nor if then
    than so as into onto about up out off over under there here what which who whom whose when where why how some
    any each every all both more most other such only own same very much many few now s t re ve ll d m let lets want
    need like hi hello hey thanks thank ok okay yes yeah nope sure well good great nice morning evening afternoon
    bye whats im id ill youre theres get got using use via per one ones thing things everything something anything
    regarding concerning first second next last finally lastly afterwards again still yet ever never because while
    really maybe perhaps today's tomorrow's
    """)

READ_VERBS = word_set("""
    show get find list look search lookup fetch read display view check see tell give retrieve query browse count
    compare describe inspect summarize summarise calculate compute estimate track monitor explain translate convert
    analyze analyse measure scan preview verify validate download review suggest recommend rank report predict
    forecast evaluate simulate classify detect extract identify match ask answer quote multiply divide subtract

    """)

WRITE_VERBS = word_set("""
    create add make open book schedule reserve order register insert post write draft file log record start begin
    update change set edit modify rename move reschedule adjust assign mark turn switch put increase decrease raise
    lower delete remove cancel drop clear erase close archive send email mail message text notify forward share
    reply publish transfer pay refund charge withdraw deposit ship print lock unlock stop restart deploy scale merge
    approve reject invite upload play pause resume enable disable activate deactivate submit save store reset revoke
    grant block unblock buy purchase sell return renew extend replace restore install uninstall run launch shut dim
    water feed freeze unfreeze hire fire promote enroll admit discharge prescribe issue mute unmute skip copy
    duplicate label tag pin subscribe unsubscribe confirm remind call ring dispatch apply comment close reopen
    attach checkout import export arm disarm fill borrow lend hold release sign discard rotate trigger purge wipe
    destroy terminate kill overwrite append upgrade downgrade exchange swap split combine hand escalate complete
    finish reorder flag unflag join leave follow
    """)

MORE_VERBS = word_set(
    """
    enter leave quit join select choose pick accept decline deny refuse allow permit forbid ban assess audit award
    back bill bind broadcast build cast catch claim collect commit compile configure connect consult convene cover
    credit debit decide declare define delegate deliver demote deny deploy design detach detect dial dismiss divide
    donate double drain eject email empty encode decode encrypt decrypt endorse engage estimate evaluate evict
    examine execute expand expire extract fetch finalize flash format found gather generate grab grade greet guide
    halt handle host identify ignore import improve include index initiate inquire inspect interrupt introduce
    investigate kick land lease level lift link load locate loan localize map match measure mention migrate mint
    mirror moderate mount multiply negotiate nominate normalize obtain offer operate organize override pack paint
    park parse patch perform ping place plant poll populate press process produce project propose protect provide
    provision publish pull punch push quote raise ramp rate reactivate reassign rebuild receive recommend reconcile
    recover redeem redirect reduce refer refresh refill reimburse reject relocate remit render rent reorder repeat
    rephrase replay replicate request require rescue resend resolve respond restock retire retract retrieve revert
    revise reward roll route sample satisfy scrap screen seal secure seed separate serve settle shelve shift shorten
    silence simulate slow snooze solve spawn specify spin stage standardize stock strip study supply surrender
    suspend swap switch synchronize sync tackle tally tell test toggle top topup trade train transcribe transform
    translate transmit treat trim tune undo unfollow unlink unload unpack unzip update upload use validate vote wake
    warm warn weigh withdraw wrap zip
    """,
)
OTHER_VERBS = word_set(
    "plot draw chart graph cook bake sing say ask answer use help plan prepare build convert solve sort filter group "
    "sum total average visit drive fly walk wash clean fix repair bring take pick keep watch listen learn teach"
)

VERBS = READ_VERBS | WRITE_VERBS | OTHER_VERBS | MORE_VERBS

NOUN_TOO = word_set("""
    order book email mail text message note call list file report plan check time log record post play search water
    ring lock scale return issue label tag copy show look drop block share charge deposit transfer pay view visit
    walk chart graph plot count query start stop change set rank refund draft move track water feed hand fire water
    cook fix answer help total average sum sort group filter reply comment flag hold sign watch use taste award back
    bill bind broadcast cast catch claim cover credit debit design dial double drain estimate flash format found
    grade guide host index inquire kick land lease level lift link load loan map match measure mention mint mirror
    mount offer pack paint park patch ping place plant poll press process produce project pull punch push quote ramp
    rate request reward roll route sample scrap screen seal seed shift spin stage stock strip study supply switch
    tally test top trade train treat trim tune vote wake warm zip email lead lean leave quit secure separate slow
    level
    """)
"""Verbs that are nouns as often; they open a command only where an object follows."""

QUESTION = word_set(
    "what what's whats which who who's when where where's how why is are was were does did has have am will"
)

ALIASES: dict[str, tuple[str, ...]] = {
    "count": ("how many", "number of"),
    "sum": ("total",),
    "avg": ("average", "mean"),
    "average": ("mean", "avg"),
    "mean": ("average",),
    "max": ("maximum", "highest", "largest", "biggest"),
    "maximum": ("max", "highest", "largest", "biggest"),
    "min": ("minimum", "lowest", "smallest"),
    "minimum": ("min", "lowest", "smallest"),
    "asc": ("ascending",),
    "desc": ("descending",),
    "day": ("daily", "per day"),
    "daily": ("every day", "each day"),
    "week": ("weekly", "per week"),
    "weekly": ("every week", "each week"),
    "month": ("monthly", "per month"),
    "monthly": ("every month", "each month"),
    "year": ("yearly", "per year", "annual"),
    "yearly": ("every year", "each year"),
    "eur": ("euro", "euros", "€"),
    "gbp": ("£",),
}
"""How people say a choice that a schema spells in short; of the language, not of a field."""

ASKED: dict[str, tuple[str, ...]] = {
    "location": ("where is", "where are", "where's", "where was"),
    "price": ("how much", "cost"),
    "cost": ("how much",),
    "amount": ("how much",),
    "size": ("how big", "how large"),
    "duration": ("how long",),
    "distance": ("how far",),
    "age": ("how old",),
}
"""What a question asks for without naming it."""

PHRASAL: dict[str, str] = {
    "pull up": "show",
    "bring up": "show",
    "call up": "show",
    "look for": "search",
    "looking for": "search",
    "searching for": "search",
    "get rid of": "delete",
    "take off": "remove",
    "take out": "remove",
}
"""Verbs of more than one word, and the plain verb that says the same."""

PREPOSITIONS = word_set("""
    from to for in at on by with without about of into onto near under over since until till before after as via
    regarding concerning between during through per inside within called named titled entitled saying says using
    against towards toward around re
    """)

ROLES: dict[str, frozenset[str]] = {
    "from": word_set("from origin source start departure depart sender begin since old current base"),
    "to": word_set(
        "to destination recipient target arrival arrive receiver end assignee new user person contact email"
    ),
    "for": word_set(
        "for recipient customer person purpose guest patient user client employee member topic query reason name "
        "search keyword term product item occasion beneficiary"
    ),
    "in": word_set(
        "in city place location country region language room area currency folder channel repository repo category "
        "department town zone where space project position"
    ),
    "at": word_set("at place location venue restaurant address hotel branch site where station company"),
    "on": word_set("on topic subject platform device channel server host machine board floor"),
    "by": word_set("by author artist writer creator director composer owner sender"),
    "with": word_set(
        "with attendee participant guest doctor person ingredient label tag message text body contact physician "
        "provider reason note comment value"
    ),
    "about": word_set("about topic query subject question keyword theme search term"),
    "regarding": word_set("topic query subject question keyword theme"),
    "concerning": word_set("topic query subject question keyword theme"),
    "re": word_set("topic query subject"),
    "called": word_set("name title label called"),
    "named": word_set("name title label called"),
    "titled": word_set("title name heading subject"),
    "entitled": word_set("title name heading subject"),
    "under": word_set("category folder name under"),
    "into": word_set("language target folder destination to into currency unit"),
    "near": word_set("location place city address near where"),
    "as": word_set("role type category status title state as"),
    "of": word_set("of object subject name"),
    "via": word_set("method channel via medium carrier"),
    "using": word_set("method tool using template carrier"),
    "saying": word_set("message text body content note comment"),
    "says": word_set("message text body content note comment"),
    "against": word_set("opponent target against"),
    "because": word_set("reason cause why justification"),
}

FREE_TEXT = word_set("""
    query q search question text message body content note notes comment description prompt topic keyword keywords
    term terms phrase input instruction instructions task goal reason summary request details remark remarks subject
    feedback statement caption answer reply explanation complaint symptom symptoms what
    """)
SEARCH_TEXT = word_set("query q search question keyword keywords term terms phrase topic prompt input request")
ID_WORDS = word_set("id ids number no num nr code key ref reference identifier sku uuid guid")
CODE_WORDS = word_set("sql code script source program snippet python javascript bash cypher regex")

LOW = word_set("min minimum from start since after begin low lower earliest least checkin")
HIGH = word_set("max maximum to end until before high upper latest most due deadline checkout till finish")

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
NUMBERS: dict[str, int] = {word: value for value, word in enumerate(_SMALL.split())} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "dozen": 12,
}
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}

_MONTHS = "january february march april may june july august september october november december"
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday"
MONTHS = tuple(_MONTHS.split())
WEEKDAYS = tuple(_WEEKDAYS.split())

UNITS: dict[str, tuple[str, float]] = {}
"""Unit word → (dimension, size); two different sizes of one dimension never stand for each other."""
for _dimension, _rows in {
    "time": "ms millisecond milliseconds|s sec secs second seconds|min mins minute minutes|h hr hrs hour hours|"
    "day days|week weeks|month months|year years|night nights",
    "money": "cent cents penny pence|eur euro euros usd dollar dollars gbp pound pounds chf franc francs yen jpy $ € £",
    "mass": "mg milligram milligrams|g gram grams|kg kilo kilos kilogram kilograms|lb lbs|oz ounce ounces"
    "|ton tons tonne",
    "length": "mm millimeter|cm centimeter centimeters|m meter meters metre metres|km kilometer kilometers kilometre|"
    "mile miles mi|ft foot feet|inch inches",
    "data": "kb|mb|gb|tb",
    "volume": "ml|cl|l liter liters litre litres|cup cups|tablespoon tablespoons tbsp|teaspoon teaspoons tsp",
    "temperature": "celsius °c|fahrenheit °f|kelvin",
}.items():
    for _size, _row in enumerate(_rows.split("|")):
        for _word in _row.split():
            UNITS[_word] = (_dimension, _size)

REFERENCE = word_set(
    "it its them they their that those this these her his him she he same result results there one ones"
)
"""Words by which a clause points at something said or found before."""

NEGATION = word_set("not no don't dont without never doesn't isn't skip exclude excluding except cannot")
