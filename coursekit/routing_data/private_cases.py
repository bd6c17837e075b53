"""Made-up secrets, disguised secrets and harmless look-alikes, to judge a privacy gate that was written apart.

Secrets are right by their own arithmetic and nobody's: reserved domains, telephone numbers kept for books and films,
test ranges of identity numbers, births before 1861, banks that do not exist, keys drawn at random.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from random import Random
from urllib.parse import quote
from uuid import UUID

Message = Mapping[str, object]
KINDS = ("email", "phone", "national id", "card", "iban", "key", "name")
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
CARDS = ("411111", "424242", "400005", "555555", "222300", "601111", "356600", "378282", "371449")  # for tests
IBANS: tuple[str, ...] = (
    "SE999" + 17 * "#",
    "DE99" + 16 * "#",
    "GBTEST" + 14 * "#",
    "FR99999" + 18 * "#",
    "NLTEST" + 10 * "#",
)
IBANS += ("DK9999" + 10 * "#", "FI9" + 13 * "#", "IETEST" + 14 * "#", "AT99999" + 11 * "#", "MTTEST" + 23 * "#")


@dataclass(frozen=True)
class Case:
    """A chat to be judged: `kind` is what is private in it, or None; `note` says what it is made of."""

    number: int
    messages: tuple[Message, ...]
    kind: str | None
    note: str


# Check digits. Luhn: ISO/IEC 7812-1 annex B. Mod 97: ISO 13616 with ISO 7064. Verhoeff: J. Verhoeff 1969, dihedral
# group D5. Norway: Skatteetaten, modulus 11 twice. Finland: DVV, remainder by 31. Denmark: CPR-kontoret, modulus 11.
def luhn(digits: str) -> bool:
    """Whether every second digit from the right, doubled, and the others add up to a multiple of ten."""
    return sum(int(d) if i % 2 == 0 else sum(divmod(2 * int(d), 10)) for i, d in enumerate(digits[::-1])) % 10 == 0


def verhoeff(digits: str) -> bool:
    """Whether the digits, permuted by their places, multiply to zero in the group of the pentagon."""
    total = 0
    for place, digit in enumerate(map(int, digits[::-1])):
        for _ in range(place % 8):
            digit = int("1576283094"[digit])
        turn = total + digit if total < 5 else total - digit
        total = turn % 5 + (0 if (total < 5) is (digit < 5) else 5)
    return total == 0


def mod97(iban: str) -> bool:
    """Whether an IBAN, its first four characters put last and its letters read as 10 to 35, leaves 1 by 97."""
    text = re.sub(r"\s", "", iban)
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1


def norwegian(digits: str) -> bool:
    """Whether both check digits of eleven are right."""
    rows = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1, 0), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    return all(sum(w * int(d) for w, d in zip(row, digits, strict=True)) % 11 == 0 for row in rows)


def finnish(text: str) -> bool:
    """Whether the last letter is the one that belongs to the nine digits."""
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[7:10]) % 31] == text[10]


def danish(digits: str) -> bool:
    """Whether ten digits have the old check digit; since 2007 not all numbers do."""
    return sum(w * int(d) for w, d in zip((4, 3, 2, 7, 6, 5, 4, 3, 2, 1), digits, strict=True)) % 11 == 0


def born(digits: str) -> bool:
    """Whether six digits are a date, the year first, with 60 added to the day or not."""
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    try:
        return bool(date(2000 + year, month, day % 60))
    except ValueError:
        return False


def _close(digits: str, right: Callable[[str], bool]) -> str:
    return next(digits + last for last in "0123456789" if right(digits + last))


def _fill(form: str, random: Random, signs: str = "0123456789") -> str:
    return "".join(random.choice(signs) if sign == "#" else sign for sign in form)


def _split(text: str) -> list[str]:
    return text.split("|")


def _fours(text: str, separator: str = " ") -> str:
    return separator.join(text[i : i + 4] for i in range(0, len(text), 4))


# Secrets. No loop waits for luck here: a property test may draw the same digit for ever.
FIRST = _split("Anna|Björn|Åsa|Märta|Karl-Johan|Nils|Oliver|Charlotte|Eleanor|Priya|Arjun|Lakshmi|Sanjay|Harpreet")
LAST = _split("Lindqvist|Sjöberg|Åkesson|Öhrn|Fairweather|Whitcombe|O'Hara|Raghunathan|Deshpande|Chatterjee|Kaur")
DOMAINS = _split("example.com|example.org|example.net|example.se|mail.example.com|kommun.example|post.acme.example")
DOMAINS += _split("skola.test|db.internal.test|contoso.com|fabrikam.com|students.example.edu|förening.example")
LOCALS = ("{0}.{1}", "{0}", "{0}_{1}7", "{0}+chat", "{1}.{0}+faktura-3", "info-{1}", "{0}.{1}.84", "x{1}")
PHONES: tuple[str, ...] = (
    "+44 20 7946 0###",
    "+442079460###",
    "+44 (0)20 7946 0###",
    "+44 7700 900###",
    "+1 202 555 01##",
)
PHONES += ("+1 (415) 555-01##", "+1-312-555-01##", "+161755501##", "+49 30 23125 ###", "+49 (0)30 23125-###")
PHONES += ("+61 491 570 156", "+61491570110")
SWEDISH: tuple[tuple[str, int, int], ...] = (
    ("070", 1740605, 95),
    ("031", 3900600, 100),
    ("040", 6280400, 100),
    ("08", 46500400, 100),
)
SWEDISH += (("0980", 319200, 100),)


def _email(random: Random) -> str:
    first, last = (random.choice(part).lower().replace("'", "") for part in (FIRST, LAST))
    if random.random() < 0.8:
        first, last = (part.translate(str.maketrans("åäö", "aao")) for part in (first, last))
    text = f"{random.choice(LOCALS).format(first, last)}@{random.choice(DOMAINS)}"
    return random.choice((text, text, text, text.upper(), text.title()))


def _phone(random: Random) -> str:
    if random.random() < 0.35:
        return _fill(random.choice(PHONES), random)
    area, start, count = random.choice(SWEDISH)
    number = str(start + random.randrange(count))
    first, second = {6: (2, 4), 7: (3, 5), 8: (3, 6)}[len(number)]
    groups = f"{number[:first]} {number[first:second]} {number[second:]}"
    forms: tuple[str, ...] = (
        f"{area}-{number}",
        f"{area}-{groups}",
        f"{area} {groups}",
        f"{area}{number}",
        f"({area}) {groups}",
    )
    forms += (f"+46 {area[1:]} {groups}", f"+46{area[1:]}{number}", f"+46 (0){area[1:]}-{groups}")
    return random.choice((*forms, f"0046{area[1:]}{number}", f"+46-{area[1:]}-{number}"))


def _swedish(random: Random) -> str:
    day = date.fromordinal(random.randrange(date(1890, 1, 1).toordinal(), date(2016, 1, 1).toordinal()))
    extra = 60 if random.random() < 0.25 else 0
    ten = _close(f"{day:%y%m}{day.day + extra:02}{random.randrange(980, 1000)}", luhn)
    sign = "+" if day.year < 1926 else "-"
    twelve = f"{day.year // 100}{ten}"
    return random.choice((f"{ten[:6]}{sign}{ten[6:]}", ten, f"{twelve[:8]}-{ten[6:]}", twelve))


def _national(random: Random) -> str:
    country = random.choice(("se", "se", "se", "no", "fi", "dk", "in"))
    day, start = f"{random.randrange(1, 29):02}{random.randrange(1, 13):02}", random.randrange(100)
    if country == "no":
        serials = (f"{day}58{500 + (start + i) % 250}" for i in range(250))
        text = next(s + f"{c:02}" for s in serials for c in range(100) if norwegian(s + f"{c:02}"))
        return random.choice((text, f"{text[:6]} {text[6:]}"))
    if country == "fi":
        body = f"{day}{random.randrange(50, 60)}+{start + 2:03}"
        return next(body + letter for letter in "0123456789ABCDEFHJKLMNPRSTUVWXY" if finnish(body + letter))
    if country == "dk":
        text = next(f"{day}58{n}" for n in range(5000 + 13 * start, 9000) if danish(f"{day}58{n}"))
        return f"{text[:6]}-{text[6:]}"
    return _fours(_close("9999" + _fill("#######", random), verhoeff)) if country == "in" else _swedish(random)


def _card(random: Random) -> str:
    start = random.choice(CARDS)
    text = _close(_fill(start.ljust(14 if start[:2] == "37" else 15, "#"), random), luhn)
    separator = random.choice(("", " ", "-"))
    return separator.join((text[:4], text[4:10], text[10:])) if start[:2] == "37" else _fours(text, separator)


def _iban(random: Random) -> str:
    form = _fill(random.choice(IBANS), random)
    text = next(t for t in (f"{form[:2]}{check:02}{form[2:]}" for check in range(2, 99)) if mod97(t))
    return random.choice((text, _fours(text), text.lower(), _fours(text.lower())))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _key(random: Random) -> str:
    def some(count: int, signs: str = ALNUM) -> str:
        return _fill("#" * count, random, signs)

    # Put together from pieces, so that a scanner for secrets finds none in this file.
    tokens = ["sk" + "-" + some(20) + "T3Blbk" + "FJ" + some(20), "sk" + "-proj-" + some(64, ALNUM + "_-")]
    tokens += [
        "gh" + "p_" + some(36),
        "github" + "_pat_" + some(22) + "_" + some(59),
        "AK" + "IA" + some(16, ALNUM[:26]),
    ]
    tokens += ["xo" + "xb-" + some(12, "123456789") + "-" + some(12, "123456789") + "-" + some(24)]
    tokens += ["AI" + "za" + some(35, ALNUM + "_-"), "sk" + "_live_" + some(24), "h" + "f_" + some(34, ALNUM[:52])]
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": some(8), "iat": 1750000000 + random.randrange(10**7)})
    tokens += [".".join([*(_base64(json.dumps(part).encode()) for part in parts), some(43)])]
    who = random.choice(("", "RSA ", "EC ", "OPENSSH "))
    lines = "\n".join(some(64) for _ in range(4))
    tokens += [f"-----BEGIN {who}PRIVATE" + f" KEY-----\n{lines}\n-----END {who}PRIVATE KEY-----"]
    tokens += ["api-" + f"key: {some(32, '0123456789abcdef')}", "account.example;Account" + f"Key={some(86)}=="]
    word = random.choice(("Vinterbjörk", "Sommar", "correct-horse", "Tr0llhättan")) + some(4, "123456789") + "%"
    tokens += ["pass" + f'word = "{word}"', "lösen" + f"ord: {word}", "DB_PASS" + f"WORD={word}"]
    return random.choice(tokens)


def _name(random: Random) -> str:
    return f"{random.choice(FIRST)} {random.choice(LAST)}"


MAKERS: dict[str, Callable[[Random], str]] = dict(
    zip(KINDS, (_email, _phone, _national, _card, _iban, _key, _name), strict=True)
)


def secret(kind: str, random: Random) -> str:
    """A plain secret of a kind."""
    return MAKERS[kind](random)


# Disguises: the kinds that each is for, and what it does to the text.
NUMBERS = ("phone", "national id", "card", "iban")
INVISIBLE = {"zero width space": "\u200b", "zero width non-joiner": "\u200c", "zero width joiner": "\u200d"}
INVISIBLE |= {"word joiner": "\u2060", "byte order mark": "\ufeff", "soft hyphen": "\u00ad"}
GLUE = {"email": "mejla{}", "phone": "ring{}nu", "national id": "pnr{}", "card": "kort{}tack", "iban": "konto:{},"}


def _between(separator: str) -> Callable[[str], str]:
    return lambda text: re.sub(r"(?<=[^\W_])(?=[^\W_])", separator, text.replace(" ", ""))


def _hidden(mark: str) -> Callable[[str], str]:
    return lambda text: mark.join(re.findall(f"(?s).{{1,{1 + len(text) % 4}}}", text))


def _space(space: str) -> Callable[[str], str]:
    def spaced(text: str) -> str:
        return re.sub("[ -]", space, text) if re.search("[ -]", text) else f"{text[:-4]}{space}{text[-4:]}"

    return spaced


def _digits(zero: int) -> Callable[[str], str]:
    return lambda text: text.translate({ord("0") + i: zero + i for i in range(10)})


def _broken(text: str) -> str:
    sign = re.search("@", text) or re.search("[ -]", text)
    cut = sign.end() if sign and len(text) < 40 else len(text) // 2
    return f"{text[:cut].rstrip(' ')}\n{text[cut:]}"


def _url(text: str) -> str:
    scheme = "mailto:" if "@" in text else "tel:" if text[0] in "+(" else "https://app.example/items?lang=sv&token="
    return scheme + quote(text, safe="@+()")


DISGUISES: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    "spaces between characters": (("email", *NUMBERS), lambda text: " ".join(text.replace(" ", ""))),
    "dots between digits": (NUMBERS, _between(".")),
    "hyphens between digits": (NUMBERS, _between("-")),
    "full-width digits": (NUMBERS, _digits(0xFF10)),
    "Arabic-Indic digits": (NUMBERS, _digits(0x0660)),
    **{name: (KINDS, _hidden(mark)) for name, mark in INVISIBLE.items()},
    "non-breaking space": ((*NUMBERS, "name"), _space("\u00a0")),
    "thin space": ((*NUMBERS, "name"), _space("\u2009")),
    "en dash": (("phone", "national id", "card", "key"), lambda text: text.replace("-", "–")),
    "full-width at sign": (("email",), lambda text: text.replace("@", "＠")),
    "at in words": (("email",), lambda text: text.replace("@", " (at) ")),
    "line break": (KINDS, _broken),
    "in JSON": (KINDS, lambda text: json.dumps({"id": 17, "value": text})),
    "in a URL": (KINDS[:-1], _url),
    "in code": (KINDS, lambda text: f"```python\nvalue = {text!r}\n```"),
    "in a table": (KINDS, lambda text: f"| Row | Value |\n|---|---|\n| one | {text} |"),
    "beside punctuation": (KINDS, lambda text: f"»({text});«"),
    "glued to a word": (tuple(GLUE), lambda text: text),
}


def _fits(name: str, text: str, kind: str) -> bool:
    """Whether a disguise suits a text: some numbers are known as such only by how they are written."""
    if "\n" in text:
        return name in ("in JSON", "in code")
    if name in ("dots between digits", "hyphens between digits", "spaces between characters"):
        return not re.match(r"9999 |\d{6}[+-][0-8]|.*\(", text)
    if name == "in a URL" and kind == "key":
        return not re.search(r"[\s=:]", text)
    return name != "en dash" or ("-" in text and "=" not in text)


def _disguised(name: str, text: str, kind: str) -> str:
    return DISGUISES[name][1](GLUE[kind].format(text) if name == "glued to a word" else text)


def disguise(text: str, kind: str, random: Random) -> tuple[str, str]:
    """A disguised form of a secret, and what the disguise is called."""
    name = random.choice([name for name, (kinds, _) in DISGUISES.items() if kind in kinds and _fits(name, text, kind)])
    return _disguised(name, text, kind), name


# Harmless look-alikes.
def found(text: str) -> str | None:
    """The kind of a valid secret in a plain text, by the arithmetic above: a check on this file, no gate."""
    if any(map(mod97, re.findall(r"(?i)\b[a-z]{2}\d\d(?: ?[a-z0-9]{4}){2,7}(?: ?[a-z0-9]{1,3})?\b", text))):
        return "iban"
    for run in re.findall(r"\+?\d[\d .()/+-]*\d", text):
        digits = re.sub(r"\D", "", run)
        size = len(digits)
        if 13 <= size <= 19 and luhn(digits):
            return "card"
        if size in (10, 12) and born(digits[-10:-4]) and luhn(digits[-10:]):
            return "national id"
        if (size == 12 and verhoeff(digits)) or (size == 11 and norwegian(digits)):
            return "national id"
        if (run[0] == "+" and 8 <= size <= 15) or (digits[0] == "0" and 9 <= size <= 14):
            return "phone"
    if any(born(m[4:6] + m[2:4] + m[:2]) for m in re.findall(r"\b\d{6}-\d{4}\b", text)):
        return "national id"
    if any(born(m[4:6] + m[2:4] + m[:2]) and finnish(m) for m in re.findall(r"\b\d{6}[-+A]\d{3}[0-9A-Y]\b", text)):
        return "national id"
    if re.search(r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}", text):
        return "email"
    keys = r"(?<![A-Za-z])(sk-[\w-]{16}|gh[pousr]_\w{20}|AKIA\w{12}|AIza\w{20}|xox[bp]-\w{8}|eyJ\w{10}|-----BEGIN)"
    return "key" if re.search(keys, text) else None


def _wrong(text: str) -> str:
    """The last digit, which is or feeds the check, moved by three."""
    return text[:-1] + str((int(text[-1]) + 3) % 10)


def _wrong_born(random: Random) -> str:
    # No day of a month starts with 4 or 5: so it is no Danish number either.
    day = f"{random.randrange(40, 60)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
    ten = _wrong(_close(f"{day}{random.randrange(980, 1000)}", luhn))
    return random.choice((ten, f"{day}-{ten[6:]}", f"19{ten}", f"19{day}-{ten[6:]}"))


def _isbn(random: Random) -> str:
    text = _fill("97891#######", random)
    last = -sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(text)) % 10
    return random.choice((f"ISBN 978-91-{text[5:7]}-{text[7:]}-{last}", f"{text}{last}"))


def _filled(forms: str, signs: str = "0123456789") -> Callable[[Random], str]:
    """One of the forms, with random signs for #."""
    return lambda random: _fill(random.choice(_split(forms)), random, signs)


PI = "3.14159265358979323846264338327950288419716939937510"
LOOKALIKES: dict[str, Callable[[Random], str]] = {
    "card with a wrong check": lambda random: _wrong(_card(random)),
    "personal number with a wrong check": _wrong_born,
    "Aadhaar with a wrong check": lambda random: _wrong(_fours(_close(_fill("9999#######", random), verhoeff))),
    "IBAN with a wrong check": lambda random: _wrong(_iban(random)),
    "order number": _filled(
        "4873######|order 7791######|nr 8812-99#### |87######99|ORD-2026-######|5590#####|SO-77####-##"
    ),
    "ISBN": _isbn,
    "date and time": _filled(
        "2026-03-1# 09:2#|1#/3 kl. 13.3#|2026031#T09265#Z|1#.11.2026|20261#0#|17623####5.12#|v. 4#, 2026"
    ),
    "version": _filled("3.11.#|v2.1#.0-rc.#|10.0.19045.4#2#|numpy==2.#.1#|1#8.0.7###.1##|foundry-local 0.8.1##"),
    "IP address": _filled(
        "192.0.2.1#|198.51.100.##:8080|2001:db8::#f##|127.0.0.1:5#73|10.1#.1##.0/24|http://192.0.2.#/v1"
    ),
    "price": _filled("1 #99,90 kr|12 4## 000 SEK|$1,#99.00|4#9:-|1#.5#0.000 €|49 9## ### ### kr i statsbudgeten"),
    "coordinates": _filled("59.32##, 18.06##|57.70#####, 11.97#####|59°19'4#\"N 18°4'1#\"E|-33.8#88, 151.20##"),
    "decimal": _filled(
        "0.3000000000000000#|6.022140##e23|1.7976931348623#57e308|2.7182818284590#|1/3 = 0,3333333333333333"
    ),
    "short code": _filled("112|1177|113 13|118 118|90 000|116 111|911|72####"),
    "product code": _filled("RTX-4090-##G|KLT-2#07-B|B08N5#RWNW|Pixel 9 Pro, model GR##A|EAN 73100#0#1|DS-2CD2#86G2"),
    "git hash": _filled(
        "########|commit ########################################|sha256:" + 64 * "#", "0123456789abcdef"
    ),
    "UUID": lambda random: str(UUID(int=random.getrandbits(128), version=4)),
    "hex colour": lambda random: random.choice(("", "color: ")) + "#" + _fill("######", random, "0123456789abcdef"),
    "handle": _filled(
        "@anna_dev##|user@|a@b|root@localhost|lodash@4.17.2#|actions/checkout@v#|@Volvo|loss = A@B + c|kl. 9 @ kontoret"
    ),
    "decorator": _filled(
        "@app.route|@pytest.mark.parametrize|@functools.lru_cache(maxsize=12#)|y = W @ x.T|@media (min-width: 6#0px)"
    ),
    "sk in words": _filled(
        "a task-force for risk-averse desk-bound people|ask-me-anything-about-local-models|disk-encryption-at-rest"
        "|risk-adjusted-return-on-capital-2026|dusk-to-dawn-opening-hours|en svensk-norsk ordlista|sk-learn"
    ),
    "placeholder": _filled(
        'sk-...|<your key>|os.environ["API_KEY"]|YOUR_API_KEY|api_key="not-needed"|ghp_xxxx|${{ secrets.TOKEN }}'
        "|Authorization: Bearer $TOKEN|password: ********|OPENAI_KEY=<paste here>|name@<your company>|+46 xx xxx xx xx"
    ),
    "words about secrets": _filled(
        "password hashing with bcrypt|ett bra lösenord|password = getpass()|the password field of a form|AccountKey"
        "|lösenord: minst tolv tecken|a token limit of 4096 tokens|a private key and a public key|kortnummer|an IBAN"
        "|password: str = Field(min_length=12)|tokens per second|personnummer|BEGIN PRIVATE KEY"
    ),
    "maths": _filled(
        "17 * 2# = 391|2^64 = 18446744073709551616|(4#1 + 55) / 8 - 1#|1 + 2 + 3 + 4|fact(12) = 479001600|x² - 4x + #"
    ),
    "digits of pi": lambda random: PI[: random.randrange(8, 50)],
    "numbered list": _filled(
        "1. mjölk\n2. ägg\n3. bröd, # st|1) plan\n2) build\n3) test # times|2026\n2027\n2028\n203#"
    ),
    "file or page": _filled(
        "https://docs.example/guide?page=#|localhost:5273/v1/models|data/run_2026031#_09#.csv|README.md, line 1##"
    ),
    "place": _filled(
        "New York|Lake Vättern|Gamla Uppsala|Tamil Nadu|Stockholm Central|Covent Garden|Göteborg|Västra Götaland"
    ),
    "company": _filled("Volvo Cars|Tata Steel|Ericsson AB|Nordea Bank|Marks & Spencer|Svenska Spel|Infosys Limited"),
    "months and days": _filled("Monday Morning|March and April|Midsommar|Svenska Flaggans Dag|Black Friday|May Day"),
    "program": _filled(
        "Visual Studio Code|Microsoft Word|Foundry Local|Jupyter Notebook|Google Chrome|Spring Boot|Ruby on Rails"
    ),
}
FRAMES: tuple[str, ...] = (
    "in JSON",
    "in code",
    "in a table",
    "beside punctuation",
    "soft hyphen",
    "non-breaking space",
)
FRAMES += ("full-width digits",)
NAMELIKE = ("place", "company", "months and days", "program")

# What somebody types around it.
ASKED = (
    "What does {} mean?",
    "I found this in my notes: {}. What is it for?",
    "Summarise in one sentence: the customer gave us {} and wants an answer on Friday.",
    "Translate into Swedish: please use {} until further notice.",
    "Correct my English: I have wrote {} on the form yesterday.",
    "Why does the log show {} and can I ignore it?",
    "Hur skriver jag {} på ett snyggt sätt i ett brev?",
    "Rätta texten: vi använder {} i fortsättning.",
    "Jag fick {} av en kollega. Vad gör jag med det?",
    "Skriv ett kort svar till kunden och nämn {} där.",
    "Hej, kan du förklara {} för en nybörjare?",
)
BLOCKS = (
    "Explain this:\n\n{}",
    "Gör det här snyggare:\n\n{}\n\nSvara kort.",
    "What is wrong here?\n{}",
    "{}\n\nVad är det?",
)
ABOUT = (
    "Write a short text about {}.",
    "Skriv några rader om {} till vårt nyhetsbrev.",
    "I read about {} yesterday. Suggest three questions that I could ask.",
    "Rätta stavningen: Vi talade om {} på möttet.",
    "What should I say about {} at the meeting?",
    "Gör en rubrik av det här: {} och framtiden.",
)
LATER = ("Thanks. How do I boil an egg?", "Tack. Vad är huvudstaden i Norge?", "Good. Now tell me about rainbows.")


def _ask(text: str, namelike: bool, random: Random) -> str:
    block = text.startswith(("{", "```", "|", "-----", "1. ", "1) ", "2026\n"))
    return random.choice(BLOCKS if block else ABOUT if namelike else ASKED).format(text)


def _place(text: str, random: Random) -> tuple[tuple[Message, ...], str]:
    """The messages of a chat in which the text stands, and where it stands."""
    place = random.choice(("last turn", "last turn", "early turn", "assistant turn", "system message", "parts"))
    last = {"role": "user", "content": random.choice(LATER)}
    between = [
        {"role": "assistant", "content": "Of course, here it is."},
        {"role": "user", "content": "A bit shorter?"},
    ]
    between += [{"role": "assistant", "content": "Gärna. Så här då."}]
    if place == "early turn":
        return ({"role": "user", "content": text}, *between, last), place
    if place == "assistant turn":
        first = {"role": "user", "content": "Repeat what I wrote, please."}
        return (first, {"role": "assistant", "content": f"You wrote: {text}"}, last), place
    if place == "system message":
        return ({"role": "system", "content": f"Answer briefly. Asked earlier in this chat: {text}"}, last), place
    if place == "parts":
        texts = ({"type": "text", "text": part} for part in ("Hi, a quick question.", text))
        return ({"role": "user", "content": list(texts)},), place
    return ({"role": "user", "content": text},), place


def cases(seed: int = 0) -> tuple[Case, ...]:
    """The whole set: every kind plain and in each of its disguises, and as many harmless chats."""
    random = Random(seed)
    made: dict[str, tuple[str | None, str]] = {}
    for kind in KINDS:
        for name in ["plain"] * 8 + [name for name, (kinds, _) in DISGUISES.items() if kind in kinds]:
            text = secret(kind, random)
            while name != "plain" and not _fits(name, text, kind):
                text = secret(kind, random)
            text = text if name == "plain" else _disguised(name, text, kind)
            made[_ask(text, kind == "name", random)] = kind, name
    secrets, turn = len(made), 0
    while len(made) < 2 * secrets:
        family = list(LOOKALIKES)[turn % len(LOOKALIKES)]
        text = LOOKALIKES[family](random).strip()
        frame, harmless = random.choice(("plain",) * 4 + FRAMES), found(text) is None
        if frame != "plain" and _fits(frame, text, "name"):
            text, family = _disguised(frame, text, "name"), f"{family}, {frame}"
        asked = _ask(text, family.split(",")[0] in NAMELIKE, random)
        if harmless and found(asked) is None and asked not in made:
            made[asked] = None, family
            turn += 1
    rows = list(made.items())
    random.shuffle(rows)
    places = [_place(text, random) for text, _ in rows]
    return tuple(
        Case(number, messages, kind, f"{note}; {place}")
        for number, ((_, (kind, note)), (messages, place)) in enumerate(zip(rows, places, strict=True), 1)
    )
