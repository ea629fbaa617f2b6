"""Keys that say themselves whose they are: prefixes and forms that issuers document for secret scanning.

A text in, findings out. A key is one long word, so only long words are looked at; most rows are a literal beginning and
what follows it, and a pattern is only tried where its literal stands in the word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding

SHORTEST = 16
"""Characters of the shortest word that is looked at."""
_MIXED = r"(?=[A-Za-z_\-]{0,60}[0-9])"
"""A digit soon: so `sk-learn-and-other-words` is none."""
_ANY, _WORD, _HEX = r"[A-Za-z0-9]", r"[A-Za-z0-9_\-]", r"[a-fA-F0-9]"

_ROWS: tuple[tuple[str, str], ...] = (
    # models and their tools
    ("sk-", _MIXED + _WORD + "{16,}"), ("sess-", _ANY + "{32,}"), ("gsk_", _ANY + "{20,}"), ("hf_", _ANY + "{20,}"),
    ("api_org_", _ANY + "{30,}"), ("r8_", _ANY + "{30,}"), ("lsv2_", r"[a-z]{2}_[A-Za-z0-9_]{20,}"),
    ("ls__", _ANY + "{20,}"),
    ("pplx-", _ANY + "{32,}"), ("xai-", _ANY + "{40,}"), ("fw_", _MIXED + _ANY + "{20,}"), ("nvapi-", _WORD + "{40,}"),
    ("tvly-", _MIXED + _WORD + "{16,}"), ("e2b_", _HEX + "{30,}"), ("pcsk_", r"[A-Za-z0-9_]{40,}"),
    ("jina_", _ANY + "{30,}"),
    ("csk-", _MIXED + _ANY + "{30,}"), ("fc-", _HEX + "{32}"), ("tgp_v1_", _WORD + "{30,}"),
    ("wandb_v1_", _WORD + "{30,}"),
    ("co-", r"(?=[a-z]{0,20}[0-9])[A-Za-z0-9]{38,}"), ("phx_", _ANY + "{20,}"), ("phc_", _ANY + "{30,}"),
    ("sk_", r"(?=[a-z]{0,40}[0-9])[a-f0-9]{48}"), ("el_", r"[a-f0-9]{32,}"), ("AI71ai-api-", _WORD + "{16,}"),
    # code and packages
    ("ghp_", _ANY + "{20,}"), ("gho_", _ANY + "{20,}"), ("ghu_", _ANY + "{20,}"), ("ghs_", _ANY + "{20,}"),
    ("ghr_", _ANY + "{20,}"), ("github_pat_", r"[A-Za-z0-9_]{20,}"), ("glpat-", r"[A-Za-z0-9_\-.]{16,}"),
    ("gldt-", _WORD + "{16,}"), ("glrt-", _WORD + "{16,}"), ("glptt-", _WORD + "{16,}"), ("glft-", _WORD + "{16,}"),
    ("glcbt-", _WORD + "{16,}"), ("glsoat-", _WORD + "{16,}"), ("glimt-", _WORD + "{16,}"),
    ("glagent-", _WORD + "{20,}"),
    ("gloas-", _WORD + "{20,}"), ("glffct-", _WORD + "{16,}"), ("ATBB", _ANY + "{28,}"),
    ("ATATT3", r"[A-Za-z0-9_\-=]{60,}"), ("ATCTT3", r"[A-Za-z0-9_\-=]{60,}"), ("npm_", _MIXED + _ANY + "{20,}"),
    ("pypi-", _MIXED + _WORD + "{20,}"), ("rubygems_", _HEX + "{30,}"), ("dckr_pat_", _WORD + "{16,}"),
    ("dckr_oat_", _WORD + "{16,}"), ("oy2", r"[a-z0-9]{43}(?![a-z0-9])"),
    ("cio", r"(?=[a-zA-Z]{0,20}[0-9])[A-Za-z0-9]{32}(?![A-Za-z0-9])"),
    ("CLOJARS_", r"[a-z0-9]{40,}"), ("squ_", _HEX + "{32,}"), ("sqp_", _HEX + "{32,}"), ("sqa_", _HEX + "{32,}"),
    ("AKCp", _ANY + "{50,}"), ("cmVmd", _ANY + "{50,}"), ("bkua_", _HEX + "{30,}"), ("bkpt_", _ANY + "{30,}"),
    ("CCIPAT_", r"[A-Za-z0-9_]{30,}"),
    ("CCIPRJ_", r"[A-Za-z0-9_]{30,}"), ("sgp_", r"[a-zA-Z0-9_]{36,}"), ("snyk_", r"[a-z]{3}\.[\w.\-]{30,}"),
    ("pnu_", _ANY + "{30,}"), ("rdme_", r"[a-z0-9]{40,}"),
    ("PMAK-", r"[a-f0-9]{20,}-[a-f0-9]{30,}"), ("API-", r"[A-Z0-9]{24,}(?![a-z])"), ("sha256~", _WORD + "{40,}"),
    # clouds
    ("AKIA", r"[A-Z0-9]{16}(?![A-Z0-9])"), ("ASIA", r"[A-Z0-9]{16}(?![A-Z0-9])"),
    ("ABIA", r"[A-Z0-9]{16}(?![A-Z0-9])"), ("ACCA", r"[A-Z0-9]{16}(?![A-Z0-9])"),
    ("ABSK", r"[A-Za-z0-9+/=]{60,}"), ("bedrock-api-key-", r"[A-Za-z0-9+/=]{40,}"), ("AIza", _WORD + "{30,}"),
    ("GOCSPX-", _WORD + "{16,}"), ("ya29.", _WORD + "{16,}"),
    ("1//0", r"[A-Za-z0-9_\-]{40,}"), ("LTAI", _ANY + "{16,}"), ("AKID", _MIXED + _ANY + "{28,}"),
    ("dop_v1_", _HEX + "{32,}"), ("doo_v1_", _HEX + "{32,}"),
    ("dor_v1_", _HEX + "{32,}"), ("hvs.", _WORD + "{16,}"), ("hvb.", _WORD + "{16,}"), ("hvr.", _WORD + "{16,}"),
    ("s.", r"(?=[A-Za-z]{0,20}[0-9])[A-Za-z0-9]{24}(?![A-Za-z0-9.])"),
    ("dapi", r"[a-f0-9]{32}(?:-[0-9])?(?![a-f0-9])"), ("dp.", r"(?:pt|st|sa|ct|scim|audit)\.[A-Za-z0-9_.\-]{30,}"),
    ("pul-", _HEX + "{32,}"), ("fo1_", _WORD + "{30,}"),
    ("fm1r_", r"[A-Za-z0-9+/=]{60,}"), ("fm1a_", r"[A-Za-z0-9+/=]{60,}"), ("fm2_", r"[A-Za-z0-9+/=]{60,}"),
    ("pscale_", r"(?:tkn|oauth|pw)_[A-Za-z0-9_=.\-]{24,}"),
    ("sbp_", _HEX + "{30,}"), ("sb_secret_", _WORD + "{16,}"), ("HRKU-", _WORD + "{30,}"),
    ("nfp_", _ANY + "{30,}"), ("nfc_", _ANY + "{30,}"), ("rnd_", _MIXED + _ANY + "{24,}"),
    ("v1.0-", r"[a-f0-9]{24}-[a-f0-9]{100,}"),
    ("vcp_", _ANY + "{24,}"), ("tskey-", r"[a-z]{3,10}-[A-Za-z0-9]{8,}-[A-Za-z0-9]{16,}"),
    ("cfut_", _WORD + "{30,}"), ("cfat_", _WORD + "{30,}"), ("4b1d", r"[A-Za-z0-9]{38}(?![A-Za-z0-9])"),
    ("ops_eyJ", r"[A-Za-z0-9+/=_\-]{60,}"), ("napi_", r"[a-z0-9]{40,}"), ("ts_live_", _ANY + "{20,}"),
    ("infracost_", _ANY + "{20,}"), ("scw_", _MIXED + _ANY + "{30,}"), ("exo_", _ANY + "{30,}"),
    ("AGE-SECRET-KEY-1", r"[A-Z0-9]{20,}"), ("age-secret-key-1", r"[a-z0-9]{20,}"), ("tr_dev_", _ANY + "{16,}"),
    ("tr_prod_", _ANY + "{16,}"), ("ory_", r"(?:pat|at|st)_[A-Za-z0-9_\-]{20,}"), ("secret_scanning_", _ANY + "{20,}"),
    # messages and mail
    ("xox", r"[abceoprs](?:\.xox[bp])?-[A-Za-z0-9\-]{10,}"), ("xapp-", r"[A-Za-z0-9\-]{16,}"),
    ("xwfp-", r"[A-Za-z0-9\-]{16,}"), ("hooks.slack.com/", r"(?:services|workflows|triggers)/[A-Za-z0-9/_\-]{16,}"),
    ("discord.com/api/", r"(?:v[0-9]{1,2}/)?webhooks/[0-9]{15,20}/[A-Za-z0-9_\-]{40,}"),
    ("discordapp.com/api/", r"(?:v[0-9]{1,2}/)?webhooks/[0-9]{15,20}/[A-Za-z0-9_\-]{40,}"),
    ("webhook.office.com/", r"[A-Za-z0-9/@\-]{40,}"),
    ("chat.googleapis.com/", r"v1/spaces/[A-Za-z0-9_\-]{6,}/messages\?[^\s\"'<>]{20,}"),
    ("hooks.zapier.com/", r"hooks/catch/[0-9]+/[a-z0-9]{5,}"),
    ("logic.azure.com", r"(?::443)?/workflows/[^\s\"'<>]{40,}"),
    ("SG.", _WORD + r"{16,}\." + _WORD + "{16,}"), ("key-", r"(?=[a-z]{0,12}[0-9])[a-z0-9]{32}(?![a-z0-9])"),
    ("SK", r"[0-9a-f]{32}(?![0-9a-f])"), ("xkeysib-", r"[a-f0-9]{40,}-[A-Za-z0-9]{8,}"),
    ("xsmtpsib-", r"[A-Za-z0-9\-]{40,}"), ("re_", r"(?=[A-Za-z]{0,8}[A-Z0-9])[A-Za-z0-9]{6,10}_[A-Za-z0-9]{20,}"),
    ("md-", r"(?=[A-Za-z_\-]{0,20}[0-9])[A-Za-z0-9_\-]{22}(?![A-Za-z0-9_\-])"),
    # money and shops
    ("sk_live_", _ANY + "{10,}"), ("sk_test_", _ANY + "{10,}"), ("sk_prod_", _ANY + "{10,}"),
    ("rk_live_", _ANY + "{10,}"), ("rk_test_", _ANY + "{10,}"), ("whsec_", r"[A-Za-z0-9+/=]{16,}"),
    ("sq0atp-", _WORD + "{16,}"), ("sq0csp-", _WORD + "{30,}"),
    ("EAAA", r"(?=[A-Za-z_\-]{0,30}[0-9])[A-Za-z0-9_\-]{40,}"), ("EAAC", _ANY + "{60,}"), ("EAAM", _ANY + "{60,}"),
    ("EAAG", _ANY + "{60,}"), ("EAAB", _ANY + "{60,}"), ("IGQ", r"[A-Za-z0-9_\-]{60,}"),
    ("shpat_", _HEX + "{16,}"), ("shpca_", _HEX + "{16,}"), ("shppa_", _HEX + "{16,}"), ("shpss_", _HEX + "{16,}"),
    ("shptka_", _HEX + "{16,}"), ("rzp_live_", _ANY + "{10,}"), ("rzp_test_", _ANY + "{10,}"),
    ("access_token$", r"(?:production|sandbox)\$[a-z0-9]{10,}\$[a-f0-9]{30,}"),
    ("FLWSECK", r"(?:_TEST)?-[A-Za-z0-9]{12,}(?:-X)?"),
    ("access-", r"(?:production|sandbox|development)-[a-f0-9\-]{36}"), ("EZAK", _ANY + "{50,}"),
    ("EZTK", _ANY + "{50,}"),
    ("shippo_", r"(?:live|test)_[a-f0-9]{30,}"), ("duffel_", r"(?:live|test)_[A-Za-z0-9_\-=]{30,}"),
    ("AQE", r"(?=[A-Za-z]{0,20}[0-9])[A-Za-z0-9+/=]{58,}"), ("live_", r"[a-f0-9]{32,}(?![a-zA-Z])"),
    ("sk_sandbox_", _ANY + "{16,}"), ("paddle_", _ANY + "{20,}"), ("pdl_live_", r"[A-Za-z0-9_]{30,}"),
    ("zpk_", _ANY + "{20,}"),
    # work and watch
    ("NRAK-", r"[A-Z0-9]{20,}"), ("NRII-", r"[A-Za-z0-9_\-]{20,}"), ("NRJS-", r"[a-f0-9]{16,}"),
    ("NRRA-", r"[a-f0-9]{30,}"), ("glsa_", r"[A-Za-z0-9]{20,}_[a-fA-F0-9]{8}"),
    ("glc_", r"(?=[A-Za-z]{0,30}[0-9])[A-Za-z0-9+/=]{32,}"), ("eyJrIjoi", r"[A-Za-z0-9+/=]{40,}"),
    ("sntryu_", _HEX + "{40,}"), ("sntrys_", r"[A-Za-z0-9+/=_\-]{40,}"),
    ("dt0", r"[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{40,}"), ("hcaik_", r"[a-z0-9]{30,}"),
    ("hcaic_", r"[a-z0-9]{30,}"), ("lin_api_", _ANY + "{16,}"), ("lin_oauth_", _HEX + "{32,}"),
    ("ntn_", _MIXED + _ANY + "{30,}"), ("secret_", r"(?=[A-Za-z]{0,30}[0-9])[A-Za-z0-9]{43}(?![A-Za-z0-9])"),
    ("figd_", _WORD + "{30,}"), ("figu_", _WORD + "{30,}"), ("pat", r"[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("pat-", r"(?:na|eu)[0-9]-[a-f0-9\-]{36}"), ("pk_", r"[0-9]{6,9}_[A-Z0-9]{30,}"), ("CFPAT-", _WORD + "{30,}"),
    ("sl.", r"(?:u\.)?(?=[A-Za-z_\-]{0,30}[0-9])[A-Za-z0-9_\-=]{100,}"), ("tfp_", _WORD + "{30,}"),
    ("A3-", r"[A-Z0-9]{6}-[A-Z0-9]{5,6}-?[A-Z0-9\-]{15,}"),
    ("sk.eyJ", r"[A-Za-z0-9_\-]{40,}\.[A-Za-z0-9_\-]{16,}"), ("fio-u-", r"[A-Za-z0-9_\-=]{40,}"),
    ("dnkey-", r"[A-Za-z0-9_\-=]{40,}"), ("tk-us-", _WORD + "{40,}"), ("sm_", r"(?:aat|pat|sat)_[A-Za-z0-9]{16}"),
    ("p8e-", r"[a-z0-9]{32}"), ("ion_", _ANY + "{40,}"),
    ("u+", r"(?=[A-Za-z]{0,20}[0-9])[A-Za-z0-9\-_]{18}(?![A-Za-z0-9])"), ("cal_live_", _HEX + "{30,}"),
    ("xoxe.", r"xox[bp]-[A-Za-z0-9\-]{20,}"), ("ddapi_", _ANY + "{20,}"), ("ddpat_", _WORD + "{20,}"),
    ("user_api_key_", _ANY + "{20,}"), ("amk", r"[a-z0-9]{40}(?![a-z0-9])"), ("ubdc_", _ANY + "{20,}"),
    ("doppler_", _ANY + "{30,}"), ("lf_sk_", _WORD + "{20,}"), ("ctx7sk-", _WORD + "{20,}"),
    ("MLY|", r"[0-9]{10,}\|[a-f0-9]{30,}"),
)  # fmt: skip
_BY_START: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
for _prefix, _rest in _ROWS:
    _BY_START.setdefault(_prefix[:2], []).append((_prefix, lazy_pattern(re.escape(_prefix) + _rest)))
_BEGINNING = lazy_pattern(r"[A-Za-z0-9](?<![A-Za-z0-9].)")
_JWT = lazy_pattern(r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}\.[A-Za-z0-9_\-]*")
_SHAPED = tuple(
    (needs, lazy_pattern(pattern))
    for needs, pattern in (
        (".", r"(?<![A-Za-z0-9_\-])[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}(?![A-Za-z0-9_"
            r"\-])"),  # Discord
        (":", r"(?<![A-Za-z0-9])[0-9]{8,10}:[A-Za-z0-9_\-]{35}(?![A-Za-z0-9_\-])"),  # Telegram
        ("-us", r"(?<![A-Za-z0-9])[0-9a-f]{32}-us[0-9]{1,2}(?![0-9])"),  # Mailchimp
        (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{30,}"),  # Terraform Cloud
        ("Q~", r"(?<![A-Za-z0-9])[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34}(?![A-Za-z0-9_~.\-])"),  # Entra
        ("_mmk", r"(?<![A-Za-z0-9])[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),  # MaxMind
        ("JQQJ99", r"(?<![A-Za-z0-9])[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}"),  # Azure
        ("AzCa", r"(?<![A-Za-z0-9])[A-Za-z0-9+/]{40,80}(?:AzCa|ACR|AIoT|APIM|ASt)[A-Za-z0-9+/=]{6,}"),  # Azure
        ("==", r"(?<![A-Za-z0-9+/\-])[A-Za-z0-9+/]{86}==(?![A-Za-z0-9+/=])"),  # an account key of Azure Storage
    )
)  # fmt: skip


def long_words(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each run without spaces that may hold a key."""
    at = 0
    for word in text.split():
        if len(word) >= SHORTEST:
            at = text.find(word, at)
            yield at, at + len(word)
            at += len(word)


def issued(text: str) -> Iterator[Finding]:
    """Keys that say themselves what they are."""
    for start, end in long_words(text):
        word = text[start:end]
        for beginning in _BEGINNING.finditer(text, start, end):
            at = beginning.start()
            for prefix, pattern in _BY_START.get(text[at : at + 2], ()):
                match = pattern.match(text, at, end) if text.startswith(prefix, at) else None
                if match is not None and not _masked(match[0], len(prefix)):
                    yield Finding("api_key", at, match.end())
        if "eyJ" in word:
            for match in _JWT.finditer(text, start, end):
                yield Finding("jwt", match.start(), match.end())
        for needs, pattern in _SHAPED:
            if needs in word and not word.startswith(("data:", "sha", "integrity")):
                for match in pattern.finditer(text, start, end):
                    if len(set(match[0])) > 10:
                        yield Finding("api_key", match.start(), match.end())


def _masked(key: str, size: int) -> bool:
    """Whether what follows the prefix is a row of the same sign, as in documentation."""
    return len(set(key[size : size + 24])) <= 3 or "xxxxxx" in key.lower()
