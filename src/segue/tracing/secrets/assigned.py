"""Secrets that a word announces: `password:`, `api_key=`, `the PIN is`, in many languages. Text in, findings out.

A word is only looked for where its letters stand in the text, and what follows it is matched at its place. What counts
as a value is in `values`: behind `password` most, behind `token` what looks random.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding, holds
from segue.tracing.secrets.values import is_password, is_random, is_reference, is_said_password

_PASSWORDS = (
    "password", "passwd", "passwort", "passphrase", "pass phrase", "mdp", "mot-de-passe", "passcode", "pwd",
    "pass", "kennwort", "mot de passe", "motdepasse",
    "contraseña", "contrasena", "senha", "palavra-passe", "palavra passe", "wachtwoord", "hasło", "haslo",
    "пароль", "密码",
    "密碼", "パスワード", "비밀번호", "lösenord", "adgangskode", "passord", "salasana", "şifre", "sifre", "parola",
    "jelszó",
    "jelszo", "heslo", "лозинка", "парола", "κωδικός", "mật khẩu", "kata sandi", "sandi", "รหัสผ่าน", "पासवर्ड",
    "كلمة المرور",
    "كلمة السر", "סיסמה", "סיסמא", "zugangsdaten", "schlüsselwort", "geheimwort", "chiave di accesso", "parolă",
    "slaptažodis",
    "parole", "parool", "geslo", "lozinka", "pin", "pw", "psw", "requirepass",
)  # fmt: skip
_TOKENS = (
    "token", "secret", "_auth", '"auth"', "api_key", "api-key", "apikey", "api key", "access_key", "accesskey",
    "access-key", "access key",
    "private_key", "privatekey", "private key", "credential", "auth_key", "authkey", "signing_key", "signing key",
    "signingkey",
    "encryption_key", "encryptionkey", "encryption key", "master_key", "master key", "masterkey", "account_key",
    "accountkey",
    "account key", "storage_key", "storage key", "admin_key", "admin key", "adminkey", "license_key",
    "license key", "licence key",
    "client_key", "shared_key", "sharedkey", "shared key", "session_key", "app_key", "appkey", "service_key",
    "servicekey",
    "webhook_key", "deploy_key", "hmac_key", "hmac key", "jwt_key", "aes_key", "aes key", "security_key",
    "subscription-key",
    "subscription key", "subscription_key", "instrumentationkey", "write_key", "writekey", "read_key",
    "ingest_key", "integration_key",
    "functions-key", "function_key", "server_key", "host_key", "sas_key", "primarykey", "ssh key", "apisecret",
    "auth_code",
    "api-schlüssel", "zugangsschlüssel", "geheimschlüssel", "schlüssel", "clé d'api", "clé api", "clé secrète",
    "clave de api",
    "clave api", "clave secreta", "chiave api", "chiave segreta", "chave de api", "chave api", "chave secreta",
    "api-sleutel",
    "klucz api", "ключ api", "api ключ", "api-ключ", "токен", "секретный ключ", "密钥", "令牌",
    "アクセスキー", "トークン",
    "apiキー",
    "토큰", "api 키", "jeton", "gizli anahtar", "ficha de acceso", "authorization code", "bearer",
)  # fmt: skip
_PASSWORD_STEMS = ("pass", "pw", "psw", "pin", "chiav", "parol")
_FOREIGN = tuple(word for word in _PASSWORDS if not word.isascii())
_PLAIN_TOKENS = tuple(word for word in _TOKENS if word.isascii())
_STEMS = (
    "token",
    "secret",
    "key",
    "cred",
    "clave",
    "chiav",
    "chave",
    "sleutel",
    "klucz",
    "jeton",
    "anahtar",
    "ficha",
    "auth",
    "bearer",
)
"""One of these is in each word for a key that is written in ASCII."""
_LINK = (
    r"(?P<sign>\s{0,3}(?::=|=>|->|[:=：＝])\s{0,3})"
    r"|(?P<said>(?:\s|(?<=[\u3040-\u9fff\uac00-\ud7af]))(?:has been (?:changed|set|reset|updated) to"
    r"|(?:was |is )?(?:now )?(?:changed|set|reset|updated) to|geändert (?:auf|in)|is now|is still|should be|will be|is"
    r"|was|ist|lautet|wurde|est|es"
    r"|è|é|är|er|on|to|jest|je|este|olan|será|war|are|auf|sera|bude|adalah|là|это|है)(?:\s{0,2}:\s{0,2}|\s{1,2})"
    r"|(?:是|は|은|는|이|가|为|為)\s?)"
)
_VALUE = lazy_pattern(
    r"(?P<rest>[A-Za-z0-9_\-.]{0,24}(?: (?:for|of|für|pour|para|per|di|do|de|voor) [\w.@\-]{1,24}|"
    r" \([^()\n]{1,24}\))?)[\\\"'\])*`]{0,3}"
    rf"(?:{_LINK})\\?(?P<quote>[\"'“«`]{{0,3}})"
    r"(?P<value>[^\s\"',;\\<>(){}\[\]`]{0,512})"
)
_BLANK = lazy_pattern(r"\s{1,2}[\"'`]?(?P<value>[^\s\"',;\\<>(){}\[\]`]{6,256})")
_BLANK_QUOTED = lazy_pattern(r"\s[\"“'`](?P<value>[^\"”'`\n]{5,64})[\"”'`]")
_QUOTED = lazy_pattern(r"[^\"'\n“”«»`]{4,256}(?=[\"'”»`])")
_MARKUP = lazy_pattern(
    r"<(?P<name>[\w:\-]{0,24}(?:pass|pwd|secret|token|apikey|api_key"
    r"|credential)[\w:\-]{0,24})(?:\s[^<>]{0,80})?>(?P<value>[^<>\s]{4,256})</",
    re.IGNORECASE,
)
_NO_VALUE = lazy_pattern(
    r"[_\-]?(?:s$|s?_?(?:hash|hashed|length|len|min|max|expir|reset|policy|field|file|path|url|uri|hint|count|age|days"
    r"|ttl|timeout|name|names"
    r"|type|id|ids|size|limit|format|pattern|regex|strength|manager|input|label|placeholder|version|usage|budget"
    r"|required|protected|encoder"
    r"|izer|ization|ize|ref|provider|issuer|endpoint|prefix|algo|index|word|words|board|port|able|ed|ing|ive|age|ion"
    r"|ions|enger|engers|wordless|less))",
    re.IGNORECASE,
)
"""What follows the word in names of settings about secrets, and in words that only begin so."""
_PIN_LINK = (
    r"(?:[ \-_]?(?:codes?|numbers?|nummer|[Cc]ode|Nummer|passcode|password|passwort|kennwort|token|pin))?(?: for [\w"
    r" ]{1,20}| to [\w ]{1,16})?"
    r"(?:\s?[:=：]\s?|\s?(?:是|は|은|는)\s?|\s(?:is|ist|lautet|est|es|è|é|to):?\s|\s)\s?[\"'`*]{0,2}"
)
_PIN = lazy_pattern(_PIN_LINK + r"(?P<value>[0-9]{4,8})(?![\w.])")
_CODE = lazy_pattern(
    _PIN_LINK
    + r"(?P<value>[0-9]{4,8}|[0-9]{3}[ \-][0-9]{3}|[A-Za-z0-9]{4,6}-[A-Za-z0-9]{4,6}(?:-[A-Za-z0-9]{4,6}){0,4}"
    r"|[A-Z]-[0-9]{6})"
    r"(?![\w\-])"
)
_PIN_WORDS = ("pin", "tan", "puk", "geheimzahl")
_PIN_BEFORE = lazy_pattern(
    r"(?:\b(?:my|the|your|her|his|card|sim|door|alarm|meine?|mon|mi|phone|atm|account|new|login)[ _\-]|[\"'_])$", re.I
)
_CODE_WORDS = ("code", "kod", "código", "codice", "otp", "one-time", "one time", "onetime", "2fa", "mfa",
               "totp", "код подтверждения", "одноразов",
               "验证码", "驗證碼", "認証コード", "確認コード", "인증번호", "인증 코드", "doğrulama kodu")  # fmt: skip
_PLAIN_CODE_WORDS = tuple(word for word in _CODE_WORDS if word.isascii())
_CODE_BEFORE = lazy_pattern(
    r"(?:verification|security|confirmation|authentication|auth|authorization|one[\- ]?time|2fa|mfa|otp|totp|access"
    r"|login|log[\- ]?in|sign[\- ]?in|sms|recovery|backup"
    r"|activation|unlock|entry|door|alarm|gate|pin|pass|reset|invite|pairing|bestätigungs|sicherheits|zugangs|einmal"
    r"|verifizierungs|aktivierungs|cvv|cvc)[ _\-]?$"
)
_CODE_OF = lazy_pattern(
    r"(?: de| di| da)? (?:vérification|verificación|verificação|verifica|sécurité|seguridad|segurança|sicurezza"
    r"|confirmation|confirmación|acceso|weryfikacyjny|pin)"
)
_CODE_FIRST = lazy_pattern(
    r"(?<![\w.\-])(?P<value>[0-9]{4,8})(?= (?:is|as) your (?:[\w\- ]{0,24})?(?:code|otp|password|passcode|pin)\b)",
    re.IGNORECASE,
)
_SEED = lazy_pattern(
    r"(?:seed|mnemonic|recovery|backup|wallet|wiederherstellungs|semilla|récupération)[ _\-]?(?:phrase|words?|seed"
    r"|frase|wörter|key)?[^\n:=]{0,24}?(?:[:=]|\bis\b|\bist\b|\bes\b|\bare\b|\best\b)\s{0,3}[\"']?"
    r"(?P<value>(?:(?:[0-9]{1,2}[.)] ?)?[a-z]{3,8}[ ,]{1,2}(?:\n)?){11,23}(?:[0-9]{1,2}[.)] ?)?[a-z]{3,8})(?![a-z])",
    re.IGNORECASE,
)
_PROSE = lazy_pattern(r"\b(?:the|and|are|was|for|not|which|should|please|they|were)\b")
_COMMAND = lazy_pattern(
    r"(?:(?<=\s)(?:-u|--user|--auth|-a|--basic-auth|--proxy-user|-U)["
    r" =]{0,2}[\"']?[^\s:\"'$<{]{1,64}:(?P<basic>[^\s\"'$<{][^\s\"'<]{2,128})"
    r"|(?<=\s)--?(?:pass(?:word|wd|phrase)?|token|api-?key|secret|pw)[ =][\"']?(?P<option>[^\s\"'$<{\-][^\s\"']{3,256})"
    r"|\bmysql(?:dump|admin)?\s[^\n]{0,80}?\s-p(?P<mysql>[^\s\-$<\"'][^\s\"']{3,128})"
    r"|\bdocker login[^\n]{0,80}?\s-p\s{1,2}[\"']?(?P<docker>[^\s\"'$<\-][^\s\"']{3,128})"
    r"|\bsshpass\s{1,2}-p\s{0,2}[\"']?(?P<ssh>[^\s\"'$<]{4,128})"
    r"|\bredis-cli\s[^\n]{0,60}?-a\s{1,2}[\"']?(?P<redis>[^\s\"'$<]{4,128})"
    r"|\bnet user \S{1,40} (?P<net>[^\s/$<]{4,64}))"
)
_PAIR_WORDS = ("login", "log in", "log-in", "cred", "zugang", "identifiants", "anmeldedaten")
_PHRASE = lazy_pattern(r"(?:[a-z]{3,12}[ \-]){3,9}[a-z]{3,12}(?![a-z])")
_PAIR = lazy_pattern(
    r"(?:log[- ]?in|credentials?|creds|zugangsdaten|zugang|account|identifiants|credenciales|anmeldedaten)(?: is| are|"
    r" for [\w.\-]{1,24})?"
    r"\s?[:=]?\s{1,2}[\w.@\-]{2,48}\s?[/|:]\s?(?P<value>[^\s\"',;<>/|]{5,64})",
    re.IGNORECASE,
)
_NAMED = lazy_pattern(
    r"(?<![A-Za-z0-9])[A-Z][A-Z0-9]{0,24}(?:_[A-Z0-9]{1,24}){0,5}_(?:KEY|TOKEN|SECRET|PAT|DSN|SALT"
    r"|CRED)S?\s{0,2}[:=]\s{0,2}[\"']?(?P<value>[^\s\"',;\\<>(){}\[\]`]{16,512})"
)


def _by_stem() -> dict[str, list[str]]:
    """The words in ASCII by something that is in each of them: one look for the stem spares that for its words."""
    found: dict[str, list[str]] = {}
    for word in _PASSWORDS:
        if word.isascii():
            found.setdefault(next((stem for stem in _PASSWORD_STEMS if stem in word), word), []).append(word)
    return found


_BY_STEM = _by_stem()


def assigned(text: str, lowered: str) -> Iterator[Finding]:
    """Values after a word that announces a secret: after `password` most, after `token` those that look random."""
    plain = text.isascii()
    keyed = not plain or holds(lowered, _STEMS)
    passwords = [word for stem, words in _BY_STEM.items() if stem in lowered for word in words]
    if not plain:
        passwords += _FOREIGN
    for words, kind in ((passwords, "password"), ((_PLAIN_TOKENS if plain else _TOKENS) if keyed else (), "api_key")):
        for word in words:
            at, short = lowered.find(word), len(word) <= 4 and word.isascii()
            while at >= 0:
                after = at + len(word)
                if not (short and text[after : after + 1].islower()) and text[after : after + 1] not in ("", ".", ","):
                    found, after = _value(text, at, after, kind, word)
                    if found is not None:
                        yield found
                at = lowered.find(word, after)
    if "_" in text:
        for match in _NAMED.finditer(text):
            value = match["value"].rstrip(".!?&").split("&")[0]
            if is_random(value):
                yield Finding("api_key", match.start("value"), match.start("value") + len(value))


def spoken(text: str, lowered: str) -> Iterator[Finding]:
    """PINs, one-time codes, seed phrases, and what a command line, a tag or a query holds."""
    yield from _codes(text, lowered)
    if (
        "seed" in lowered
        or "mnemonic" in lowered
        or "recovery" in lowered
        or "phrase" in lowered
        or "semilla" in lowered
    ):
        for match in _SEED.finditer(text):
            if not _PROSE.search(match["value"].lower()):
                yield Finding("seed_phrase", *match.span("value"))
    if " -" in text or "net user" in lowered:
        for match in _COMMAND.finditer(text):
            name = match.lastgroup or ""
            if not is_reference(match[name]) and (name != "option" or not match[name].startswith("http")):
                yield Finding("password", *match.span(name))
    for match in _PAIR.finditer(text) if holds(lowered, _PAIR_WORDS) else ():
        value = match["value"].rstrip(".?")
        if (
            any(c.isdigit() for c in value)
            and any(not c.isalnum() or c.isupper() for c in value)
            and is_password(value)
        ):
            yield Finding("password", match.start("value"), match.start("value") + len(value))
    if "</" in text:
        for match in _MARKUP.finditer(text):
            if is_password(match["value"]):
                yield Finding("password", *match.span("value"))


def _codes(text: str, lowered: str) -> Iterator[Finding]:
    """PINs and codes for one use."""
    for word in _PIN_WORDS:
        at = lowered.find(word) if word in lowered else -1
        while at >= 0:
            after = at + len(word)
            alone = not text[at - 1 : at].isalpha()
            alone = alone and not text[max(0, at - 5) : at].lower().endswith("gpio ")
            told = text[at:after].isupper() or len(word) > 3 or _PIN_BEFORE.search(text[max(0, at - 12) : at])
            if alone and told and (match := _PIN.match(text, after)):
                yield Finding("pin", *match.span("value"))
            at = lowered.find(word, after)
    for word in _PLAIN_CODE_WORDS if text.isascii() else _CODE_WORDS:
        at = lowered.find(word) if word in lowered else -1
        while at >= 0:
            after = at + len(word)
            qualified = word not in ("code", "kod", "código", "codice")
            of = None if qualified else _CODE_OF.match(lowered, after)
            if qualified or of or _CODE_BEFORE.search(lowered[max(0, at - 24) : at]):
                match = _CODE.match(text, of.end() if of else after)
                if match and any(char.isdigit() for char in match["value"]):
                    yield Finding("pin", *match.span("value"))
            at = lowered.find(word, after)
    if " your " in lowered:
        for match in _CODE_FIRST.finditer(text):
            yield Finding("pin", *match.span("value"))


def _value(text: str, at: int, after: int, kind: str, word: str) -> tuple[Finding | None, int]:
    """The value that this word announces, if there is one, and from where on to look for the word again."""
    short = len(word) <= 4 and word.isascii()
    if short and at and text[at - 1].isalpha() and not (text[at].isupper() and text[at - 1].islower()):
        return None, after
    if len(text) - after < 2:  # a sign and a value
        return None, after
    match = _VALUE.match(text, after)
    if match is None:
        return _bare(text, after, kind, word), after
    rest, start = match["rest"], match.start("value")
    if (short and rest[:1].isalpha() and rest[:1].islower()) or (rest and _NO_VALUE.match(rest)):
        return None, after
    quote, value = match["quote"], match["value"]
    if (
        word in ("passphrase", "pass phrase")
        and (phrase := _PHRASE.match(text, start))
        and not _PROSE.search(phrase[0])
    ):
        return Finding(kind, start, phrase.end()), phrase.end()
    if quote and (quoted := _QUOTED.match(text, start)):
        value = quoted[0]
    value = value.rstrip(
        ".!?:" if match["said"] else ".!?" if kind == "password" and value.rstrip(".!?").isalnum() else ".?"
    )
    if kind == "api_key" or "?" in text[max(0, at - 60) : at]:
        value = value.split("&")[0]
    if text[start + len(value) : start + len(value) + 1] in ("(", "[") or not value:
        return None, after
    if kind == "api_key":
        wanted = is_random(value) and not (match["said"] and len(value) < 12)
    elif match["said"]:
        wanted = is_said_password(value) and word != "pin"
    else:
        wanted = (
            is_password(value)
            and not (word == "pin" and not value.isdigit())
            and not (word in ("pw", "pin") and len(value) < 4)
        )
    following = after if len(value) < 64 else start + len(value)
    return Finding(kind, start, start + len(value)) if wanted else None, following


def _bare(text: str, after: int, kind: str, word: str) -> Finding | None:
    """Behind nothing but a space: `wifi password Zx81kQ0p`."""
    if (
        kind == "password"
        and len(word) > 4
        and (quoted := _BLANK_QUOTED.match(text, after))
        and is_said_password(quoted["value"])
    ):
        return Finding(kind, *quoted.span("value"))
    match = _BLANK.match(text, after) if len(word) > 4 or word == "pwd" else None
    if match is None:
        return None
    value = match["value"].rstrip(".!?:")
    if kind == "api_key":
        wanted = len(value) >= 16 and is_random(value) and not value.count("-") > 5
    else:
        digit, upper = any(c.isdigit() for c in value), any(c.isupper() for c in value)
        sign = any(not c.isalnum() and c not in "-./_" for c in value)
        wanted = (
            digit
            and (upper or sign or value.count("_") == 1 or len(value) >= 8)
            and any(c.isalpha() for c in value)
            and is_password(value)
        )
        wanted = (wanted and not value.isupper()) or value.count("-") >= 3 or (sign and upper and digit)
    return (
        Finding(kind, match.start("value"), match.start("value") + len(value))
        if wanted and not is_reference(value)
        else None
    )
