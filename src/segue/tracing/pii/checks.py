"""Checksums and dates inside identifiers: the characters without separators in, whether they fit out.

The rules are those that the issuers publish. A function takes letters in upper case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Check = Callable[[str], bool]

_D = ("0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
      "5987604321", "6598710432", "7659821043", "8765932104", "9876543210")  # fmt: skip
_P = ("0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258")
"""Verhoeff's tables of multiplication and permutation."""


def weighted(digits: str, weights: Iterable[int]) -> int:
    """The sum of digits times weights, as far as the shorter of the two goes."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1."""
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mod_11_10(digits: str) -> bool:
    """ISO 7064, MOD 11,10: German tax ids, Croatian OIBs."""
    rest = 10
    for char in digits[:-1]:
        rest = ((int(char) + rest) % 10 or 10) * 2 % 11
    return (11 - rest) % 10 == int(digits[-1])


def verhoeff(digits: str) -> bool:
    """Aadhaar."""
    rest = 0
    for index, char in enumerate(reversed(digits)):
        rest = int(_D[rest][int(_P[index % 8][int(char)])])
    return rest == 0


def mod_97(text: str) -> bool:
    """ISO 7064, MOD 97-10, as an IBAN has it."""
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def sums(*weights: int, mod: int, last: dict[int, int] | None = None, negative: bool = True) -> Check:
    """A check digit at the end: the weighted sum of the others, (negated) modulo `mod`, `last` naming exceptions."""

    def check(text: str) -> bool:
        rest = weighted(text[:-1], weights) % mod
        rest = -rest % mod if negative else rest
        return (last or {}).get(rest, rest) == int(text[-1])

    return check


def dated(order: str, check: Check | None = None, *, at: int = 0) -> Check:
    """A date stands in it from `at` on, in this order (`ymd`, `dmy`, `Ymd`: four digits of the year)."""
    widths = {"Y": 4, "y": 2, "m": 2, "d": 2}

    def fits(text: str) -> bool:
        begin, parts = at, {}
        for part in order:
            parts[part] = int(text[begin : begin + widths[part]])
            begin += widths[part]
        if not (1 <= parts["m"] <= 12 and 1 <= parts["d"] <= 31) or not 1900 <= parts.get("Y", 1950) <= 2050:
            return False
        return check is None or check(text)

    return fits


def shifted(order: str, months: tuple[int, ...], check: Check | None = None, *, days: int = 0, at: int = 0) -> Check:
    """A date whose month has one of these added (for the century or the sex), or its day `days`."""

    def fits(text: str) -> bool:
        begin, parts = at, {}
        for part in order:
            parts[part] = int(text[begin : begin + 2])
            begin += 2
        month = any(1 <= parts["m"] - each <= 12 for each in months)
        day = 1 <= parts["d"] <= 31 or 1 <= parts["d"] - days <= 31
        return month and day and (check is None or check(text))

    return fits


def baltic(digits: str) -> bool:
    """Estonia and Lithuania."""
    rest = weighted(digits[:-1], (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(digits[:-1], (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return rest == int(digits[-1])


def two_digits(first: tuple[int, ...], second: tuple[int, ...]) -> Check:
    """Two check digits modulo 11, where 10 counts as 0: CPF, CNPJ, ИНН."""

    def check(digits: str) -> bool:
        if len(set(digits)) == 1:
            return False
        a, b = -weighted(digits[:-2], first) % 11, -weighted(digits[:-1], second) % 11
        return a % 10 == int(digits[-2]) and b % 10 == int(digits[-1])

    return check


def inn(digits: str) -> bool:
    """The tax number of a person in Russia."""
    a = weighted(digits, (7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10
    return a == int(digits[10]) and weighted(digits, (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)) % 11 % 10 == int(digits[11])


def birth_number_norway(digits: str) -> bool:
    """Fødselsnummer: two check digits modulo 11."""
    a = -weighted(digits[:9], (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    return a == int(digits[9]) and -weighted(digits[:10], (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11 == int(digits[10])


def belgian(digits: str) -> bool:
    """Rijksregisternummer; from 2000 on a 2 stands before it when the check is made."""
    rest = int(digits[9:])
    return 97 - int(digits[:9]) % 97 == rest or 97 - int("2" + digits[:9]) % 97 == rest


def french(text: str) -> bool:
    """NIR; Corsica's departments are 2A and 2B."""
    plain = text.replace("2A", "19").replace("2B", "18")
    return plain.isdigit() and 97 - int(plain[:13]) % 97 == int(plain[13:])


def turkish(digits: str) -> bool:
    """T.C. kimlik numarası."""
    held = [int(char) for char in digits]
    tenth = (sum(held[0:9:2]) * 7 - sum(held[1:8:2])) % 10
    return held[0] != 0 and tenth == held[9] and sum(held[:10]) % 10 == held[10]


def italian(text: str) -> bool:
    """Codice fiscale; letters may stand for digits where two people would share one."""
    odd = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
    total = 0
    for index, char in enumerate(text[:15]):
        value = int(char) if char.isdigit() else ord(char) - 65
        total += value if index % 2 else odd[value]
    return chr(65 + total % 26) == text[15]


def chinese(text: str) -> bool:
    """The resident identity number, ISO 7064 MOD 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return text[:17].isdigit() and "10X98765432"[weighted(text[:17], weights) % 11] == text[17]


def hong_kong(text: str) -> bool:
    """HKID of one letter."""
    total = 36 * 9 + (ord(text[0]) - 55) * 8 + weighted(text[1:7], range(7, 1, -1))
    return "0123456789A"[-total % 11] == text[7]


def taiwanese(text: str) -> bool:
    """國民身分證."""
    value = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    total = value // 10 + value % 10 * 9 + weighted(text[1:9], range(8, 0, -1)) + int(text[9])
    return text[1] in "1289" and total % 10 == 0


def singapore(text: str) -> bool:
    """NRIC and FIN; of the newer M series the form only."""
    if text[0] == "M":
        return True
    total = weighted(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if text[0] in "TG" else 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK"}.get(text[0])
    return letters is not None and letters[total % 11] == text[8]


def japanese(digits: str) -> bool:
    """マイナンバー."""
    total = sum(int(digits[10 - i]) * (i + 2 if i < 6 else i - 4) for i in range(11)) % 11
    return (0 if total <= 1 else 11 - total) == int(digits[11])


def curp(text: str) -> bool:
    """Mexico's CURP."""
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(char) * (18 - index) for index, char in enumerate(text[:17]))
    return text[10] in "HMX" and text[17].isdigit() and -total % 10 == int(text[17])


def rut(text: str) -> bool:
    """Chile's RUT."""
    rest = weighted(text[-2::-1], (2, 3, 4, 5, 6, 7, 2, 3, 4))
    return text[:-1].isdigit() and "0123456789K"[-rest % 11] == text[-1]


def letter(text: str) -> bool:
    """Spain's DNI and NIE: the last letter is the number modulo 23."""
    number = text[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1]


def cif(text: str) -> bool:
    """Spain's number of a company."""
    total = sum(int(each) for each in text[2:8:2])
    for each in text[1:8:2]:
        total += sum(divmod(int(each) * 2, 10))
    digit = -total % 10
    return text[0] in "ABCDEFGHJKLMNPQRSUVW" and text[8] in (str(digit), "JABCDEFGHI"[digit])


def pps(text: str) -> bool:
    """Ireland's PPS number."""
    total = weighted(text[:7], range(8, 1, -1)) + (9 * (ord(text[8]) - 64) if len(text) > 8 and text[8] != "W" else 0)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == text[7]


def hetu(text: str) -> bool:
    """Finland's henkilötunnus without its sign of the century."""
    digits = text[:6] + text[-4:-1]
    return digits.isdigit() and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == text[-1]


def pension(text: str) -> bool:
    """Germany's Rentenversicherungsnummer."""
    plain, total = text[:8] + f"{ord(text[8]) - 64:02d}" + text[9:11], 0
    for char, weight in zip(plain, (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True):
        total += sum(divmod(int(char) * weight, 10))
    return total % 10 == int(text[11])


def german_tax(digits: str) -> bool:
    """Steuer-ID: one digit, or two, come twice or thrice among the first ten."""
    most = max(digits[:10].count(each) for each in set(digits[:10]))
    return digits[0] != "0" and most in (2, 3) and mod_11_10(digits)


def nino(text: str) -> bool:
    """The UK's National Insurance number: which letters it may begin with."""
    return (
        text[0] not in "DFIQUV" and text[1] not in "DFIOQUV" and text[8] in "ABCD"
        and text[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
    )  # fmt: skip


def ssn(digits: str) -> bool:
    """Numbers that the US never gives out are none."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def vin(text: str) -> bool:
    """The check digit of a vehicle's number, as it is made in North America and China."""
    if any(char in "IOQ" for char in text):
        return False
    values = {"P": 7, "R": 9} | {char: index for index, char in enumerate("ABCDEFGH", 1)}
    values |= {char: index for index, char in enumerate("JKLMN", 1)}
    values |= {char: index for index, char in enumerate("STUVWXYZ", 2)}
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    total = sum((int(c) if c.isdigit() else values[c]) * w for c, w in zip(text, weights, strict=True))
    return "0123456789X"[total % 11] == text[8]
