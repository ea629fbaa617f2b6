"""Identifiers of people (and of firms that are one person) in Europe: their words, forms and checks.

A row is a name, the words that announce it, its forms, and its check. In a form `9` is a digit and `A` a letter, `*11`
repeats what stands before; other characters stand for themselves. A form that begins with `!` needs no word where its
check fits.
"""

from __future__ import annotations

from segue.tracing.pii import checks as c

ROWS: tuple[tuple[str, str, str, c.Check | None], ...] = (
    ("uk_nino", "nino nationalinsurance nationalinsuranceno nationalinsurancenumber ni nino nationalinsurancenr"
        " ninumber",
     "!A*2 9*6A; !AA 99 99 99 A; !AA9*6A; !AA-99-99-99-A; AA 9*6 A", c.nino),
    ("uk_nhs", "nhs nhsnumber nhsno", "9*10; !999 999 9999; 999-999-9999", c.sums(*range(10, 1, -1), mod=11)),
    ("uk_utr", "utr utrnumber uniquetaxpayerreference uniquetaxpayer", "9*10; 99999 99999", None),
    ("uk_vat", "vat vatnumber vatno vatregistration", "AA9*9; AA 999 9999 99; 9*9", None),
    ("de_tax", "steuerid steueridentifikationsnummer identifikationsnummer idnr steuerlicheidentifikationsnummer stid"
     " steueridnr tin taxid", "!9*11; !99 999 999 999; 99/999/999/999; 99 9*9", c.german_tax),
    ("de_steuernummer", "steuernummer steuernr stnr", "99/999/99999; 999/9999/9999; 999/999/99999; 9*13; 9*11; 9*10",
     None),
    ("de_ausweis", "personalausweis personalausweisnummer personalausweisnr ausweisnr ausweisnummer ausweis"
     " reisepass reisepassnummer perso", "", None),
    ("de_pension", "rentenversicherungsnummer sozialversicherungsnummer svnummer svnr rvnr rvnummer versicherungsnummer"
     " rentenversicherung", "!99 9*6 A 999; !9*8A999; 99 999999 A 999; 99 9*6 A 99 9", c.dated("dmy", c.pension, at=2)),
    ("de_health", "krankenversichertennummer kvnr versichertennummer krankenkasse", "A9*9", None),
    ("fr_nir", "nir sécuritésociale securitesociale sécu secu ss numérodesécurité numérodesécu insee nss",
     "!9*15; !9 99 99 99 999 999 99; !9 99 99 9A 999 999 99; !9 99 99 99 999 999 99; 9*13; 9*13 99", c.french),
    ("fr_tax", "numérofiscal spi référencefiscale", "9*13; 99 99 999 999 999", None),
    ("fr_siret", "siret siren", "9*9; 9*14; 999 999 999; 999 999 999 99999", None),
    ("es_dni", "dni nif documentonacional documentonacionaldeidentidad nacionaldeidentidad identidad dninif",
     "!9*8A; !9*8-A; 9*8 A; !99.999.999-A; 99.999.999A", c.letter),
    ("es_nie", "nie extranjero númerodeextranjero identidaddeextranjero", "!A9*7A; !A-9*7-A; A9*7-A; A-9*7A", c.letter),
    ("es_cif", "cif nifempresa", "!A9*8; !A-9*8; A9*7A; A-9*7A", c.cif),
    ("es_ss", "seguridadsocial afiliación afiliacion nss nuss naf", "99/9*8/99; 9*12; 99 9*8 99", None),
    ("it_cf", "codicefiscale cf codfisc codicefisc", "!AAAAAA99A99A999A; AAA AAA 99A99 A999A", c.italian),
    ("it_piva", "partitaiva piva iva", "9*11; AA9*11", c.luhn),
    ("pt_nif", "nif contribuinte númerodecontribuinte nifno nifnº",
     "9*9; 999 999 999", c.sums(*range(9, 1, -1), mod=11, last={10: 0})),
    ("pt_cc", "cartãodecidadão cartaodecidadao cartãocidadão bi", "9*8 9 AA9; 9*8", None),
    ("nl_bsn", "bsn burgerservicenummer sofinummer sofi bsnnummer bsnnr", "9*9; 9999.99.999; 9999 99 999; 999 999 999",
     c.sums(*range(9, 1, -1), mod=11, negative=False)),
    ("be_nn", "rijksregisternummer rijksregister registrenational registrenationale niss insz numéronational nrn"
     " numérodregistre", "!99.99.99-999.99; !9*11; 99.99.99 999.99; 99 99 99 999 99", c.dated("ymd", c.belgian)),
    ("at_svnr", "svnr svnummer sozialversicherungsnummer versicherungsnummer sozialversicherung ecard",
     "!9999 99 99 99; 9999 999999; 9*10; 9999-999999; 9999/999999; 9999 99.99.99", c.dated("dmy", at=4)),
    ("ch_ahv", "ahv ahvnummer ahvnr avs numéroavs sozialversicherungsnummer avsnummer navs",
     "!999.9999.9999.99; !9*13; 999 9999 9999 99", lambda t: t.startswith("756") and c.sums(*(1, 3) * 6, mod=10)(t)),
    ("se_pnr", "personnummer personnr pnr pnummer samordningsnummer persnr",
     "!999999-9999; !9*8-9999; !9*12; 999999+9999; 9*10; 9*8 9999", lambda t: c.shifted("ymd", (0,), days=60)(t[-10:])
     and c.luhn(t[-10:])),
    ("no_fnr", "fødselsnummer fodselsnummer fnr personnummer dnummer fødselsnr",
     "!9*11; !999999 99999; 999999-99999", c.shifted("dmy", (0,), c.birth_number_norway, days=40)),
    ("dk_cpr", "cpr cprnummer cprnr personnummer", "!999999-9999; 9*10; 999999 9999",
     lambda t: c.dated("dmy")(t) and c.sums(4, 3, 2, 7, 6, 5, 4, 3, 2, mod=11)(t)),
    ("fi_hetu", "hetu henkilötunnus henkilotunnus henkilötunnukseni sotu", "!999999-999A; !999999A999A; !999999-9999;"
     " 999999A9999; 999999+999A; 999999+9999", c.dated("dmy", c.hetu)),
    ("is_kt", "kennitala kt", "999999-9999; 9*10", c.dated("dmy")),
    ("pl_pesel", "pesel numerpesel nrpesel pesele", "!9*11; 9999 9999 999; 99 9999 99999",
     c.shifted("ymd", (0, 20, 80), c.sums(1, 3, 7, 9, 1, 3, 7, 9, 1, 3, mod=10))),
    ("pl_nip", "nip nrnip numernip", "!999-999-99-99; !999-99-99-999; 9*10; 999 999 99 99; AA9*10",
     c.sums(6, 5, 7, 2, 3, 4, 5, 6, 7, mod=11, negative=False)),
    ("pl_id", "dowód dowodu dowódosobisty dowoduosobistego", "AAA9*6; AAA 9*6; AAA 999999", None),
    ("pl_regon", "regon", "9*9; 9*14", None),
    ("cz_rc", "rodnéčíslo rodnecislo rč rc rodné číslo birthnumber", "!999999/9999; 9*10; 999999/999; 999999 9999",
     lambda t: c.shifted("ymd", (0, 50, 20, 70))(t) and (len(t) == 9 or int(t) % 11 in (0, 10))),
    ("cz_ico", "ičo ičdph dič ico dic", "9*8; AA9*10; AA9*9; AA9*8", None),
    ("hu_taj", "taj tajszám tajszam társadalombiztosítási", "999 999 999; 9*9; 999-999-999", None),
    ("hu_tax", "adóazonosító adóazonosítójel adószám személyi", "9*10; 99999999-9-99; 9-999999-9999; 9 999999 9999",
     None),
    ("ro_cnp", "cnp codnumericpersonal numericpersonal codnumeric",
     "!9*13", c.dated("ymd", c.sums(2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9, mod=11, last={10: 1}, negative=False), at=1)),
    ("bg_egn", "егн egn единенгражданскиномер", "!9*10",
     c.shifted("ymd", (0, 20, 40), c.sums(2, 4, 8, 5, 10, 9, 7, 3, 6, mod=11, last={10: 0}, negative=False))),
    ("hr_oib", "oib", "9*11", c.mod_11_10),
    ("si_emso", "emšo emso jmbg јмбг embg jmbgje", "!9*13",
     lambda t: c.dated("dmy")(t[:4] + t[5:7]) and c.sums(7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, mod=11)(t)),
    ("si_tax", "davčna davčnaštevilka", "9*8; AA9*8", None),
    ("gr_afm", "αφμ afm α.φ.μ τιν", "9*9; AA9*9",
     c.sums(256, 128, 64, 32, 16, 8, 4, 2, mod=11, last={10: 0}, negative=False)),
    ("gr_amka", "αμκα amka", "9*11", c.luhn),
    ("gr_id", "ταυτότητα ταυτότητας αδτ ταυτοτητα adt", "AA9*6; AA 9*6; AA-9*6; A9*6; A-9*6", None),
    ("cy_id", "αρ.ταυτότητας arctic", "9*6; 9*7", None),
    ("ie_pps", "pps ppsn ppsnumber ppsno publicservice", "!9*7AA; 9*7A; 9*7 A", c.pps),
    ("ee_ik", "isikukood isikukoodi isikukoodiks asmenskodas ak asmens", "!9*11",
     c.dated("ymd", c.baltic, at=1)),
    ("lv_pk", "personaskods pk personas", "!999999-99999; 9*11", c.dated("dmy")),
    ("mt_id", "identitycardmalta maltaid", "9*7A; 9*6A; 9*5A", None),
    ("lu_id", "matricule numérodematricule sozialversicherungsnummer matricle",
     "9*13; 9999 9999 99999", c.dated("Ymd")),
    ("ru_snils", "снилс snils", "!999-999-999 99; 999-999-999-99; 9*11", None),
    ("ru_inn", "инн inn", "9*12; 9*10", None),
    ("ru_passport", "паспорт паспорта паспортные серияиномер серия", "9999 9*6; 99 99 9*6; 9*10", None),
    ("ua_tax", "рнокпп іпн ідентифікаційний ипн інн", "9*10", None),
    ("by_id", "идентификационный ідэнтыфікацыйны", "9*7A999AA9", None),
    ("tr_id", "tckn tckimlik kimlik kimlikno tckimlikno kimliknumarası kimliknumaram tckimliknumaram kimliknumaranız tc"
     " tcno vatandaşlıkno", "!9*11; 999 999 999 99", c.turkish),
    ("eu_vat", "ust ustid ustidnr ustidnummer umsatzsteuer umsatzsteueridentifikationsnummer vatid"
        " tvaintracommunautaire"
     " tva btw btwnummer btwnr moms cvr uid mwst mwstnr orgnr organisationsnummer", "AA9*9; AA9*8; AA9*10; AA9*11;"
     " AA9*12; AAA-999.999.999; AAA9*9; AA999 999 999; 9*8; 999999-9999; 9999 9999; AA 9*9; AAA9*8; AA9*9A99", None),
)  # fmt: skip
