"""Identifiers of people outside Europe: their words, forms and checks, as `ids_europe` has them."""

from __future__ import annotations

from segue.tracing.pii import checks as c

_CPF = c.two_digits(tuple(range(10, 1, -1)), tuple(range(11, 1, -1)))
_CNPJ = c.two_digits((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))


def _abn(digits: str) -> bool:
    return c.weighted(str(int(digits[0]) - 1) + digits[1:], (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) % 89 == 0


ROWS: tuple[tuple[str, str, str, c.Check | None], ...] = (
    ("us_itin", "itin individualtaxpayer", "!999-99-9999; 999 99 9999; 9*9",
     lambda t: t[0] == "9" and t[3] in "56789"),
    ("us_ein", "ein fein employeridentification employeridentificationnumber employerid federaltaxid taxid",
     "99-9*7; 9*9", None),
    ("us_medicare", "medicare mbi medicarebeneficiary medicarenumber", "9AA9AA9AA99; 9AA9-AA9-AA99; 9A99A99AA99;"
     " 9A9A-A99-AA99; 9AAA-AA9-AA99", None),
    ("us_npi", "npi nationalprovider dea deanumber", "9*10; AA9*7", None),
    ("ca_sin", "sin socialinsurance socialinsuranceno socialinsurancenumber nas assurancesociale", "9*9; 999 999 999;"
     " 999-999-999", c.luhn),
    ("ca_health", "ohip healthcard ramq healthnumber phn", "9999-999-999; 9999 999 999; 9*10; AAAA 9999 9999;"
     " 9999-999-999-AA; AAAA9*8", None),
    ("mx_curp", "curp clavenica clave única", "!AAAA999999AAAAAA99; !AAAA999999AAAAAAA9", c.dated("ymd", c.curp, at=4)),
    ("mx_rfc", "rfc registrofederal", "!AAAA999999AA9; !AAAA999999A99; !AAAA999999999; AAAA999999AAA; AAA999999AA9;"
     " AAA9*9; AAA999999A99; AAAA-999999-AA9; AAAA-999999-A99; AAAA99999999A; AAA99999999A; AAAA9999999AA;"
     " AAA9999999AA", c.dated("ymd", at=4)),
    ("mx_nss", "nss imss segurosocial", "9*11; 99 99 99 9999 9; 99-99-99-9999-9", None),
    ("br_cpf", "cpf cpfnº cpfn cadastrodepessoas", "!999.999.999-99; !9*11; 9*9-99", _CPF),
    ("br_cnpj", "cnpj", "!99.999.999/9999-99; !9*14; 9*8/9999-99", _CNPJ),
    ("br_rg", "rg identidade carteiradeidentidade", "99.999.999-9; 9*9; 99.999.999-A; 9*8-9; 9.999.999", None),
    ("br_pis", "pis pasep nit nis", "999.99999.99-9; 9*11; 999.999.999-9", None),
    ("ar_cuit", "cuit cuil", "!99-9*8-9; 9*11; 99 9*8 9",
     c.sums(5, 4, 3, 2, 7, 6, 5, 4, 3, 2, mod=11, negative=True)),
    ("la_dni", "dni documento documentodeidentidad documentonacional identidad dnin dninº documentnumber"
     " documentonúmero docidentidad", "9*8; 9*7; 99.999.999; 9.999.999", None),
    ("cl_rut", "rut run rol", "!99.999.999-9; !9.999.999-9; !99.999.999-A; !9.999.999-A; !9*8-A; !9*8-9; 9*7-9; 9*7-A;"
     " 9*9; 9*8A", c.rut),
    ("co_cc", "cédula cedula cc cédulade ciudadanía ciudadania cédulaciudadanía céduladeciudadanía cédulano ci"
     " céduladeidentidad", "9*8; 9*10; 9*7; 99.999.999; 9.999.999.999; 9.999.999; 999.999.999; 9*9; 9*9-9; 9*6-9;"
     " 9.999.999-9; A-9*8; A-99.999.999; 999-9*7-9; 9-9999-9999", None),
    ("co_nit", "nit", "9*9-9; 999.999.999-9; 9*9; 9*10", None),
    ("pe_ruc", "ruc", "9*11; 9*13; 9*8-9; 99999999-9", None),
    ("cn_id", "chinaid chineseid idcard residentidentity residentid shenfenzheng", "!9*18; !9*17A; 9*6 9*8 9999;"
     " 9*6 9*8 999A", c.dated("Ymd", c.chinese, at=6)),
    ("hk_id", "hkid hkidno hongkongid hkidnumber hkidcard", "!A9*6(9); !A9*6(A); A999999(9); A9*7; A9*6A; A 9*6(9);"
     " AA9*6(9); AA9*6(A)", c.hong_kong),
    ("tw_id", "taiwanid rocid taiwaneseid", "!A9*9", c.taiwanese),
    ("jp_my", "mynumber individualnumber kojinbango", "9*12; !9999 9999 9999; !9999-9999-9999", c.japanese),
    ("kr_rrn", "rrn residentregistration residentregistrationnumber jumin", "!999999-9*7; 9*13", c.dated("ymd")),
    ("sg_nric", "nric fin nricfin nricno nricnumber", "!A9*7A", c.singapore),
    ("my_ic", "mykad ic icnumber icno nokp kp nricno kadpengenalan pengenalan nokadpengenalan mykadno",
     "999999-99-9999;"
     " 9*12; !999999-99-9999", lambda t: c.dated("ymd")(t) and t[6:8] not in ("00", "17", "18", "19", "20")),
    ("th_id", "thaiid thainationalid thaiidcard thaiidnumber", "!9-9999-99999-99-9; !9*13; 9 9999 99999 99 9",
     c.sums(*range(13, 1, -1), mod=11, last={10: 0}, negative=True)),
    ("id_nik", "nik ktp nomorktp nomornik noktp ktpno nomorindukkependudukan kependudukan", "9*16; !9*16;"
     " 99.9999.999999.9999", lambda t: c.shifted("dmy", (0,), days=40, at=6)(t) and "11" <= t[:2] <= "96"),
    ("id_npwp", "npwp", "99.999.999.9-999.999; 9*15; 9*16", None),
    ("vn_id", "cccd cmnd căncước căncướccôngdân sốcccd sốcmnd chứngminh", "9*12; 9*9", None),
    ("ph_id", "philsys philid umid sss gsis tin philhealth pagibig", "9999-9999-9999-9999; 99-9999999-9; 9*12; 9*10;"
     " 999-999-999-999; 999-999-999; 99-999999999-9; 9999-9999999-9", None),
    ("in_aadhaar", "aadhaar aadhar adhaar aadhaarnumber aadhaarno aadharno aadhaarcard uidai uid आधार आधारसंख्या"
        " आधारनंबर",
     "!9999 9999 9999; !9999-9999-9999; 9*12; 9999.9999.9999", c.verhoeff),
    ("in_pan", "pan pancard pannumber panno permanentaccount permanentaccountnumber", "!AAAAA9999A; AAAAA 9999 A",
     lambda t: t[3] in "ABCFGHJLPT"),
    ("in_voter", "epic voterid voter voteridcard voterscard", "AAA9*7; AAA/99/999/999999", None),
    ("in_gst", "gstin gst", "99AAAAA9999A9A9; 99AAAAA9999A9AA; !99AAAAA9999A9A9",
     lambda t: t[12].isdigit()),
    ("in_uan", "uan pf epf", "9*12", None),
    ("pk_cnic", "cnic nadra nicop", "99999-9*7-9; 9*13", None),
    ("bd_nid", "nid nationalid", "9*10; 9*13; 9*17; 999 999 9999", None),
    ("lk_nic", "nic nicno nicnumber", "9*9A; 9*12", None),
    ("np_id", "nagarikta citizenship", "99-99-99-99999", None),
    ("au_tfn", "tfn taxfile taxfilenumber taxfileno tfnis", "9*9; 999 999 999; 9*8; 999-999-999",
     lambda t: c.weighted(t, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0),
    ("au_medicare", "medicare medicarecard medicarenumber medicareno", "!9999 99999 9; 9*10; 9999 99999 9/9; 9*11;"
     " 9999-99999-9; 9999 99999 9-9", lambda t: t[0] in "23456"
     and c.sums(1, 3, 7, 9, 1, 3, 7, 9, mod=10, negative=False)(t[:9])),
    ("au_abn", "abn abnis acn", "!99 999 999 999; 9*11; 999 999 999; 9*9", _abn),
    ("nz_ird", "ird irdnumber irdno inlandrevenue", "99-999-999; 999-999-999; 9*8; 9*9; 999 999 999", None),
    ("nz_nhi", "nhi nhinumber", "AAA9999; AAA99A9", None),
    ("za_id", "southafricanid southafricanidnumber saidnumber saidno said idnumber idno rsaid", "!9*13; 9999999999 999;"
     " 999999 9999 999; 999999 9999 99 9", c.dated("ymd", lambda t: t[10] in "012" and c.luhn(t))),
    ("ng_id", "nin bvn ninnumber nationalidentification nationalidentificationnumber", "9*11", None),
    ("ke_id", "kra krapin kenyaid hudumanamba", "A9*9A; 9*8; 9*7", None),
    ("gh_id", "ghanacard ghana", "AAA-9*9-9", None),
    ("eg_id", "nationalid الرقمالقومي القومي الرقم بطاقة رقمالبطاقة", "9*14; 9*10; 9*9; 9*12", None),
    ("ma_id", "cin cine carnet", "AA9*6; A9*6; AA9*5; 9*8", None),
    ("il_id", "teudatzehut teudat tz תז זהות מספרזהות תעודתזהות מז israeliid zehut", "9*9; 9*8; 9-9*7-9; 9*8-9", None),
    ("ae_id", "emiratesid emirates eid", "!999-9999-9*7-9; 9*15", lambda t: t.startswith("784")),
    ("sa_id", "iqama iqamanumber saudiid nationalid الهوية الإقامة رقمالهوية هوية", "9*10", None),
    ("kw_id", "civilid civil qid qatarid cpr", "9*12; 9*11; 9*9", None),
    ("ir_id", "کدملی ملی melli", "9*10; 999-999999-9", None),
    ("vin", "vin vinnumber chassis chassisnumber fahrgestellnummer fahrgestell fin vehicle vehicleid bastidor telaio",
     "", None),
)  # fmt: skip
