"""Words before a number: what it is said to be. A text and a place in, the labels of the nearest telling word out.

Words are looked up whole, joined with the one or two before them, so that `dateOfBirth`, `date_of_birth` and `date of
birth` are one. Scripts without spaces are searched for their words.
"""

from __future__ import annotations

from functools import cache, lru_cache

from segue.base.patterns import lazy_pattern
from segue.tracing.pii import ids_europe, ids_world

REACH = 48
"""Characters before a number that are looked at."""
_TOKEN = lazy_pattern(r"[^\W\d_]+")
_MARKS = lazy_pattern(r"[\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]")

NOTHING = ("none",)
"""Said of a number that identifies a thing."""

_OPEN = frozenset(("id", "ids", "case", "client"))
"""What may be a thing's or a person's, as the word before says."""

_TABLE = {
    "none": "order orders ordernumber ordernr orderno ticket invoice rechnung rechnungsnummer rechnungsnr bestellnummer"
    " bestellung bestellnr artikel artikelnummer artikelnr artnr sku isbn issn ean gtin upc gln asin tracking shipment"
    " parcel sendungsnummer sendung serial seriennummer version release firmware build commit part partno partnumber"
    " batch lot model modell chapter section kapitel abschnitt page pages seite line zeile row offset port pid"
    " exit error status issue pull epoch timestamp unixtime bytes size count total sum amount price preis prix precio"
    " pmid pmcid doi arxiv cas oid pzn article item product produkt produit producto reference referenz"
    " request trace span event job pedido encomenda commande facture factura fattura fatura kundennummer kundennr"
    " customernumber customerno client vorgang vorgangsnummer aktenzeichen case casenumber po purchaseorder frames"
    " frame duration took width height temperature pressure lat ratio queue process kernel driver python numpy"
    " function funktion"
    " api rev revision hs hscode meter zähler zählerstand population inhabitants euro eur usd gbp chf"
    " ups dhl fedex usps din iso iec rfc art azure sector sheet scale olympics flight train id ids uuid bestilling"
    " ordrenummer zamówienie beställning objednávka rendelés comanda заказ счет 订单 注文番号 주문",
    "phone": "phone phones tel telephone telefon telefonnummer telefonnr telefone téléphone teléfono telefono telefoon"
    " telefoonnummer telephonenumber phonenumber phoneno mobile mobilephone mobil mobilnummer mobiltelefon mobilenumber"
    " handy handynummer cell cellphone cellulare celular móvil movil telemóvel telemovel fax faxnumber telefax whatsapp"
    " sms viber signal rufnummer callme callus callhim callher callthem call ring ringme ringmig reachme reachus"
    " reachher reachhim dial natel cep cel call ceptelefonu tlf tlfnr mob hp nohp gsm contactnumber contactno"
    " numbertocall"
    " hotline landline festnetz festnetznummer fijo fixe fone contacto contato portable appelezmoi appeleznous llámame"
    " llámeme llameal llámeal chiamami chiamare ligue ligar bel belmij bellen dzwonić numer numertelefonu anrufen"
    " anruf rufen erreichbar erreichen ruf rufmichan puhelin puhelinnumero puh gsmnummer telefonszám telefonní telefonu"
    " τηλέφωνο τηλ κινητό телефон тел телефону мобильный моб позвоните звоните номертелефона нөмірі هاتف جوال الهاتف"
    " موبايل תלפון טלפון נייד फोन मोबाइल điệnthoại sđt telepon nomor telpon mynumberis yournumberis text textme"
    " numéro téléphoner joindre emergencycontact",
    "card": "card cardnumber cardno creditcard debitcard cc ccnumber pan visa mastercard amex maestro kreditkarte"
    " kreditkartennummer kartennummer karte carte cartebancaire carteno tarjeta carta cartão cartao kaart kort karta"
    " kart",
    "iban": "iban",
    "passport": "passport passportnumber passportno passportnr reisepass reisepassnummer pass passnummer passnr"
    " passeport pasaporte passaporto passaporte paspoort paspoortnummer paszport paszportu pasaportu pasaport pasport"
    " паспорт паспорта διαβατήριο جوازالسفر جواز útlevél passi cestovnípas paspor",
    "license": "driverslicense driverlicense driverslicence drivinglicence drivinglicense driverlicence dl dlnumber"
    " licensenumber licencenumber driverslicensenumber rlicense rslicense führerschein führerscheinnummer"
    " fuehrerschein permisdeconduire carnetdeconducir permisodeconducir licenciadeconducir patente patentediguida cnh"
    " carteiradehabilitação cartadeconducao rijbewijs rijbewijsnummer prawojazdy körkort kørekort førerkort ajokortti"
    " ehliyet удостоверение sim drivinglicenceno licenseno licenceno conduire conducir",
    "account": "accountnumber accountno accountnr bankaccount acct acctno accountid kontonummer kontonr konto kto"
    " numérodecompte compte compteno cuenta númerodecuenta cuentabancaria numerodecuenta conta contocorrente conto"
    " contabancária contacorrente rekeningnummer rekening rachunek numerkonta nrkonta kontonumer bankkonto tilinumero"
    " routing routingnumber aba abarouting sortcode sort blz bankleitzahl ifsc bsb clabe transit bankcode clearing"
    " clearingnummer bankgiro plusgiro settlementaccount",
    "birth": "born dob dateofbirth birthdate birthday birth bday geboren geb geburtsdatum geburtstag geborenam né née"
    " datedenaissance naissance nacido nacida nacimiento fechadenacimiento nato nata datadinascita nascita nascido"
    " nascida nascimento datadenascimento geboortedatum geborenop født fødselsdato fødselsdag född födelsedatum födelse"
    " syntynyt syntymäaika urodzony urodzona urodzenia dataurodzenia narozen narozena narození datumnarození született"
    " születési doğumtarihi doğum născut născută nașterii datanașterii rođen rođena datumrođenja родился родилась"
    " рождения"
    " датарождения γέννησης γεννήθηκε ημερομηνίαγέννησης जन्म जन्मतिथि تاريخالميلاد الميلاد תאריךלידה ngàysinh"
    " tanggallahir lahir",
    "location": "gps coordinates location position geolocation latlng latlon latlong latitude longitude lng lon geo"
    " home"
    " whereabouts lives standort wohnort ubicación posición posizione localisation localização",
    "vin": "vin vinnumber chassis chassisnumber fahrgestellnummer fahrgestell fin vehicle vehicleid bastidor"
    " châssis telaio chassinummer",
    "mac": "mac macaddress hwaddr ether",
    "id": "idnumber idno idnr idcard nationalid nationalidnumber identitynumber identityno identitycard identitycardno"
    " identificationnumber identification identificationno personalid personalidnumber personalnumber citizenid"
    " governmentid taxid taxidnumber taxnumber taxidentification taxpayerid taxpayer tin vat vatid vatnumber ustid"
    " ustidnr ausweis ausweisnummer ausweisnr personalausweis personalausweisnummer personalausweisnr steuernummer"
    " steuernr socialsecurity socialsecurityno socialsecuritynumber"
    " insurancenumber insuranceno insuranceid policyholder versichertennummer krankenversichertennummer kvnr"
    " versicherungsnummer medicalrecord medicalrecordnumber mrn patientid patientnumber patientennummer healthcard"
    " healthinsurance carteidentité cartedidentité cni identidad documentodeidentidad documento cartadidentità ci"
    " rg carteira cédula cedula cedula ciudadanía dowód dowodu dowódosobisty občanský občanka op občanskéhoprůkazu"
    " személyi személyiigazolvány bi ktp nomorktp paspor kad visanumber residencepermit greencard employeeid"
    " studentid membernumber memberid npi dea remedy kimlik kimlikno kimliknumarası idcardnumber pid"
    " هوية رقمالهوية الهوية القومي الرقمالقومي אישוריםזהות זהות מספרזהות taudat teudatzehut cccd cmnd cnic nid",
}
_SCRIPTS = {
    "phone": "電話番号 電話 携帯 手机 手机号 联系电话 电话 聯絡電話 전화번호 전화 휴대폰 연락처 โทร เบอร์ 联系 致电",
    "birth": "生年月日 出生日期 出生 생년월일 วันเกิด 生日",
    "passport": "护照 護照 旅券 パスポート番号 여권 พาสปอร์ต หนังสือเดินทาง",
    "account": "口座番号 账号 银行卡 帳號 계좌번호 계좌 บัญชี 账户",
    "card": "信用卡 クレジットカード カード番号 카드번호 บัตรเครดิต 卡号",
    "id": "身份证号码 身份证号 身份证 身份證 身分證 マイナンバー 個人番号 주민등록번호 주민번호"
    " เลขประจำตัวประชาชน บัตรประชาชน"
    " 証明書 运転免許 운전면허 驾驶证 駕照 在留カード 社保",
    "none": "订单 注文番号 주문번호 快递 运单 追跡番号 版本 价格",
}


@cache
def _known() -> dict[str, tuple[str, ...]]:
    """Each word, joined and in lower case, and its labels; `none` gives way to what identifies a person."""
    found: dict[str, tuple[str, ...]] = {}

    def learn(word: str, label: str) -> None:
        held = found.get(word, NOTHING)
        found[word] = (label,) if held == NOTHING else tuple(dict.fromkeys([*held, label]))

    learn("home", "phone")
    for label, words in _TABLE.items():
        for word in words.split():
            if label != "none" or word not in found:
                learn(word, label)
    for name, words, _, _ in (*ids_europe.ROWS, *ids_world.ROWS):
        for word in words.split():
            learn(word, name)
    for word in _SSN.split():
        learn(word, "us_ssn")
    return found


_SSN = "ssn socialsecurity socialsecuritynumber socialsecurityno ss ssnno ssnis"
_SEARCHED = [(word, label) for label, words in _SCRIPTS.items() for word in words.split()]


def said(text: str, at: int) -> tuple[str, ...]:
    """The labels of the nearest telling word before this place in its line; empty where there is none."""
    return _labels(text[max(0, at - REACH) : at])


@lru_cache(maxsize=512)
def _labels(piece: str) -> tuple[str, ...]:
    line, above = piece.rfind("\n"), False
    if line >= 0:
        above = not piece[line + 1 :].strip(" \t-*|>\"'")
        piece = piece[:line].rpartition("\n")[2] if above else piece[line + 1 :]
    piece = piece.lower()
    if not piece.isascii() and _MARKS.search(piece):
        found = max(((piece.rfind(word), len(word), label) for word, label in _SEARCHED), default=(-1, 0, ""))
        if found[0] >= 0:
            return (found[2],)
    tokens = _TOKEN.findall(piece)[-7:]
    get, things = _known().get, False
    for last in range(len(tokens), 0, -1):
        for first in (last - 3, last - 2, last - 1):
            if first >= 0 and (labels := get("".join(tokens[first:last]))):
                if labels == NOTHING and tokens[last - 1] in _OPEN:
                    things = True
                    break
                return NOTHING if things and not above else () if above and labels == NOTHING else labels
    return ()
