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
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote
from uuid import UUID

Message = Mapping[str, object]
KINDS = ("email", "phone", "national id", "card", "iban", "key", "name")
ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# The parts that a case is put together from; # is a random digit. Cards and IBANs: numbers for tests, banks that do not
# exist. A look-alike without a form is made by MADE.
TEXTS: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


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
# Each area code with the first of its numbers for books and films, and how many there are.
SWEDISH = {"070": (1740605, 95), "031": (3900600, 100), "040": (6280400, 100), "08": (46500400, 100)}
SWEDISH["0980"] = (319200, 100)


def _email(random: Random) -> str:
    first, last = (random.choice(part).lower().replace("'", "") for part in (TEXTS["first"], TEXTS["last"]))
    if random.random() < 0.8:
        first, last = (part.translate(str.maketrans("åäö", "aao")) for part in (first, last))
    text = f"{random.choice(TEXTS['locals']).format(first, last)}@{random.choice(TEXTS['domains'])}"
    return random.choice((text, text, text, text.upper(), text.title()))


def _phone(random: Random) -> str:
    if random.random() < 0.35:
        return _fill(random.choice(TEXTS["phones"]), random)
    area, (start, count) = random.choice(list(SWEDISH.items()))
    number = str(start + random.randrange(count))
    first, second = {6: (2, 4), 7: (3, 5), 8: (3, 6)}[len(number)]
    groups = f"{number[:first]} {number[first:second]} {number[second:]}"
    home = "{0}-{1}|{0}-{2}|{0} {2}|{0}{1}|({0}) {2}"
    abroad = "+46 {3} {2}|+46{3}{1}|+46 (0){3}-{2}|0046{3}{1}|+46-{3}-{1}"
    return random.choice(_split(f"{home}|{abroad}")).format(area, number, groups, area[1:])


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
    start = random.choice(TEXTS["cards"])
    text = _close(_fill(start.ljust(14 if start[:2] == "37" else 15, "#"), random), luhn)
    separator = random.choice(("", " ", "-"))
    return separator.join((text[:4], text[4:10], text[10:])) if start[:2] == "37" else _fours(text, separator)


def _iban(random: Random) -> str:
    form = _fill(random.choice(TEXTS["ibans"]), random)
    text = next(t for t in (f"{form[:2]}{check:02}{form[2:]}" for check in range(2, 99)) if mod97(t))
    return random.choice((text, _fours(text), text.lower(), _fours(text.lower())))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _key(random: Random) -> str:
    def some(count: int, signs: str = ALNUM) -> str:
        return _fill("#" * count, random, signs)

    # Put together from pieces, so that a scanner for secrets finds none in this file.
    tokens = ["sk" + "-" + some(20) + "T3Blbk" + "FJ" + some(20), "sk" + "-proj-" + some(64, ALNUM + "_-")]
    tokens += ["gh" + "p_" + some(36), "github" + "_pat_" + some(22) + "_" + some(59)]
    tokens += ["AK" + "IA" + some(16, ALNUM[:26])]
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
    return f"{random.choice(TEXTS['first'])} {random.choice(TEXTS['last'])}"


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
    # No day of a month starts with 4 or 5: so it is not a Danish number either.
    day = f"{random.randrange(40, 60)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}"
    ten = _wrong(_close(f"{day}{random.randrange(980, 1000)}", luhn))
    return random.choice((ten, f"{day}-{ten[6:]}", f"19{ten}", f"19{day}-{ten[6:]}"))


def _isbn(random: Random) -> str:
    text = _fill("97891#######", random)
    last = -sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(text)) % 10
    return random.choice((f"ISBN 978-91-{text[5:7]}-{text[7:]}-{last}", f"{text}{last}"))


def _form(name: str, signs: str = "0123456789") -> Callable[[Random], str]:
    """One of the forms of a look-alike, with random signs for #."""
    return lambda random: _fill(random.choice(TEXTS["look-alikes"][name]), random, signs)


PI = "3.14159265358979323846264338327950288419716939937510"
HEX = "0123456789abcdef"
MADE: dict[str, Callable[[Random], str]] = {
    "card with a wrong check": lambda random: _wrong(_card(random)),
    "personal number with a wrong check": _wrong_born,
    "Aadhaar with a wrong check": lambda random: _wrong(_fours(_close(_fill("9999#######", random), verhoeff))),
    "IBAN with a wrong check": lambda random: _wrong(_iban(random)),
    "ISBN": _isbn,
    "git hash": _form("git hash", HEX),
    "UUID": lambda random: str(UUID(int=random.getrandbits(128), version=4)),
    "hex colour": lambda random: random.choice(("", "color: ")) + "#" + _fill("######", random, HEX),
    "digits of pi": lambda random: PI[: random.randrange(8, 50)],
}
LOOKALIKES = {name: MADE.get(name) or _form(name) for name in TEXTS["look-alikes"]}
FRAMES = _split("in JSON|in code|in a table|beside punctuation|soft hyphen|non-breaking space|full-width digits")
NAMELIKE = ("place", "company", "months and days", "program")

# What somebody types around it.


def _ask(text: str, namelike: bool, random: Random) -> str:
    block = text.startswith(("{", "```", "|", "-----", "1. ", "1) ", "2026\n"))
    asked: list[str] = TEXTS["blocks" if block else "about" if namelike else "asked"]
    return random.choice(asked).format(text)


def _place(text: str, random: Random) -> tuple[tuple[Message, ...], str]:
    """The messages of a chat that contains the text, and the place of the text in it."""
    place = random.choice(("last turn", "last turn", "early turn", "assistant turn", "system message", "parts"))
    last = {"role": "user", "content": random.choice(TEXTS["later"])}
    answers = ("assistant", "Of course, here it is."), ("user", "A bit shorter?"), ("assistant", "Gärna. Så här då.")
    between = [{"role": role, "content": content} for role, content in answers]
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
        frame, harmless = random.choice(["plain"] * 4 + FRAMES), found(text) is None
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
