"""Orders in other languages than English, and where a page hides them: patterns over text in lower case."""

from __future__ import annotations

import re
import unicodedata

TONGUES = tuple(
    (tuple(unicodedata.normalize("NFKC", cue) for cue in cues), re.compile(unicodedata.normalize("NFKC", pattern)))
    for cues, pattern in (
        (("ignorier", "vergiss", "vergessen", "missacht", "befolge", "umgehe",),
         r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|befolge nicht|umgehe)(?: \w+){0,5} (?:anweisung\w*"
         r"|regeln|vorgaben|instruktion\w*|befehle\w*|richtlinien|anfrage)"),
        (("system", "intern", "geheim",),
         r"\b(?:zeig\w*|gib|verrate?n?|nenne|offenbare|wiederhole)(?: \w+){0,4} (?:system-?prompt\w*"
         r"|systemanweisung\w*|internen anweisungen|geheimen? (?:anweisung\w*|regeln))"),
        (("anweisung", "ki-assist", "die ki", "erwähne", "ohne den",),
         r"\b(?:neue anweisungen? für|ki-assistent\w*,?:?|wichtig für die ki|anweisung an die ki|erwähne es nicht|ohne"
         r" den (?:nutzer|benutzer) zu informieren)"),
        (("negeer", "vergeet", "ignoreer", "systeemprompt",),
         r"\b(?:negeer|vergeet|ignoreer)(?: \w+){0,5} (?:instructies|regels|opdrachten)|\btoon(?: \w+){0,2}"
         r" systeemprompt"),
        (("ignorer", "glöm", "glem", "se bort", "systemprompt", "ignorér",),
         r"\b(?:ignorera?|ignorér|glöm|glem|se bort fra)(?: \w+){0,5} (?:instruktion\w*|instruks\w*|regler\w*"
         r"|anvisning\w*)|\bvisa? din systemprompt"),
        (("ignore", "oubli", "ne tiens pas", "néglige",),
         r"\b(?:ignore[zr]?|oublie[zr]?|ne tiens pas compte de|néglige[zr]?)(?: \w+){0,5} (?:instructions?|consignes"
         r"|règles|directives)"),
        (("système", "cachées", "secrètes", "assistant ia", "utilisateur",),
         r"\b(?:affiche|révèle|montre|donne)[zr]?(?: \w+){0,3} (?:prompt système|invite système|instructions"
         r" (?:cachées|système|secrètes))|à l'assistant ia|sans (?:le dire|prévenir) (?:à )?l'utilisateur"),
        (("ignor", "olvid", "omite", "caso omiso",),
         r"\b(?:ignora|ignore|olvida|olvide|omite|haz caso omiso de)(?: \w+){0,5} (?:instrucciones|reglas|órdenes"
         r"|indicaciones|lo anterior)|\bolvida lo anterior"),
        (("sistema", "oculta", "interna", "secreta", "asistente", "sin avisar",),
         r"\b(?:muestra|revela|muéstrame|imprime|dime)(?: \w+){0,3} (?:prompt del sistema|instrucciones (?:ocultas"
         r"|internas|del sistema|secretas))|instrucciones para el asistente|\bsin avisar\b"),
        (("ignore", "esque", "desconsidere", "sistema", "oculta", "interna", "secreta",),
         r"\b(?:ignore|esqueça|esquece|desconsidere)(?: \w+){0,5} (?:instruções|regras|ordens|orientações)|\b(?:mostre"
         r"|revele|exiba)(?: \w+){0,3} (?:prompt do sistema|instruções (?:ocultas|internas|secretas))"),
        (("ignora", "dimentica", "trascura", "sistema", "nascost", "interne", "segrete",),
         r"\b(?:ignora|dimentica|trascura)(?: \w+){0,5} (?:istruzioni|regole|indicazioni)|\b(?:mostra|rivela"
         r"|stampa)(?: \w+){0,3} (?:prompt di sistema|istruzioni (?:nascoste|interne|segrete))"),
        (("ignor",),
         r"\bignoră(?: \w+){0,5} (?:instrucțiunile|regulile)"),
        (("ignor", "zapomn", "pomi", "wypisz", "pokaż", "ujawnij", "vypiš", "odhal",),
         r"\b(?:zignoruj|ignoruj|zapomnij|pomiń)(?: \w+){0,5} (?:instrukcj\w*|polece\w*|zasad\w*|pokyny|instrukce"
         r"|pravidla|příkazy)|\b(?:wypisz|pokaż|ujawnij|vypiš|odhal)(?: \w+){0,3} (?:prompt\w*|systémov\w*)|\bignoruj"
         r" všechny"),
        (("игнор", "забуд", "внимания", "ігнор", "покажи", "раскр", "вывед", "назови", "розкр",),
         r"(?:игнорируй\w*|забудь\w*|не обращай внимания на|ігноруй\w*|забудь)(?: \w+){0,5} (?:инструкц\w*|указани\w*"
         r"|правил\w*|команд\w*|інструкц\w*|вказівк\w*)|(?:покажи|раскрой|выведи|назови|розкрий)(?: \w+){0,3}"
         r" (?:системн\w* (?:промпт|промт|запит)\w*|(?:скрытые |свои )инструкции)"),
        (("talimat", "kural", "komut", "istemi",),
         r"(?:önceki|yukarıdaki|tüm)(?: \w+){0,4} (?:talimat\w*|kural\w*|komut\w*)(?: \w+){0,2} (?:yok say|unut"
         r"|görmezden gel|dikkate alma)|sistem istemi\w*"),
        (("bỏ qua", "quên", "phớt", "lời nhắc",),
         r"(?:bỏ qua|quên|phớt lờ)(?: \w+){0,5} (?:hướng dẫn|chỉ dẫn|lệnh|quy tắc)|lời nhắc hệ thống"),
        (("abaikan", "lupakan", "prompt sistem",),
         r"\b(?:abaikan|lupakan)(?: \w+){0,4} (?:instruksi|perintah|aturan)|\bprompt sistem\b"),
        (("ข้าม", "เพิกเฉย", "ลืม", "ละเว้น",),
         r"(?:ข้าม|เพิกเฉย|ลืม|ละเว้น)[^\s]{0,20}(?:คำสั่ง|คำแนะนำ|กฎ)"),
        (("تجاهل", "انس", "تجاوز", "اعرض", "اكشف", "أظهر",),
         r"(?:تجاهل|انس[َى]?|تجاوز)(?: \w+){0,4} (?:التعليمات|القواعد|الأوامر|تعليماتك)|(?:اعرض|اكشف|أظهر)(?:"
         r" \w+){0,3} (?:موجه|تعليماتك)"),
        (("निर्देश", "नियम", "आदेश", "सिस्टम",),
         r"(?:निर्देश|नियम|आदेश)\S{0,6}(?: \S+){0,3} (?:अनदेखा|नज़रअंदाज़|भूल)|सिस्टम प्रॉम्प्ट"),
        (("忽略", "无视", "無視", "忘", "不要理会", "提示",),
         r"(?:忽略|无视|無視|忘记|忘掉|不要理会|请无视)[^\n。]{0,12}(?:指令|指示|规则|規則|提示词?|命令|要求)|(?:输出|显示|告诉我|透露|泄露|顯示)[^\n。]{0,10}(?:系统提示"
         r"|初始提示|系統提示|提示词)"),
        (("指示", "命令", "ルール", "指令", "システム", "隠された",),
         r"(?:指示|命令|ルール|指令)[^\n。]{0,8}(?:無視|忘れ)|(?:システムプロンプト|隠された指示)[^\n。]{0,8}(?:表示|教え|出力|開示)"),
        (("지시", "명령", "규칙", "지침", "시스템", "숨겨진",),
         r"(?:지시|명령|규칙|지침)[^\n.]{0,8}(?:무시|잊)"
         r"|(?:시스템 프롬프트|숨겨진 지침)[^\n.]{0,8}(?:출력|공개|보여|알려)"),
    )
)  # fmt: skip
"""An order to drop instructions, or to tell them, in other languages."""

UNSEEN_MARKUP = re.compile(
    r"<!--(?P<comment>.{0,2000}?)-->"
    r"|<[^<>]{0,200}(?:display: ?none|font-size: ?0|visibility: ?hidden|opacity: ?0|color: ?(?:white|#fff)"
    r"|\bhidden\b)[^<>]{0,80}>(?P<styled>[^<]{0,2000})"
    r"|\[//\]: # \((?P<note>[^)\n]{0,1000})\)",
    re.DOTALL,
)
"""What a page does not show."""
QUOTED = re.compile(
    r"\"[^\"\n]{3,200}\"|“[^”\n]{3,200}”|«[^»\n]{3,200}»|`[^`\n]{3,200}`|„[^“”\n]{3,200}[“”]"
    r"|(?<!\w)'[^'\n]{3,160}'(?!\w)"
)
