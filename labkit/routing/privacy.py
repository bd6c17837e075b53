"""The privacy gate finds what must not leave this machine in a conversation, before a scorer is asked.

It claims six kinds (`CLAIMED`) and is tested on them. Names of people are a best effort: notebook 03 counts how many it
misses. It guards against accidents, not against a person who wants to leak a secret: no pattern finds a number that is
written in words. A picture, a sound or a file counts as private.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import unquote

import phonenumbers
import stdnum.dk.cpr
import stdnum.fi.hetu
import stdnum.iban
import stdnum.luhn
import stdnum.no.fodselsnummer
import stdnum.se.personnummer
import stdnum.verhoeff


class Kind(StrEnum):
    """What kind of private thing was found."""

    EMAIL = "email"
    PHONE = "phone"
    NATIONAL_ID = "national id"
    CARD = "card"
    IBAN = "iban"
    KEY = "key"
    NAME = "name"
    UNREADABLE = "unreadable"  # a picture, a sound, a file: what the gate cannot look into


CLAIMED = (Kind.EMAIL, Kind.PHONE, Kind.NATIONAL_ID, Kind.CARD, Kind.IBAN, Kind.KEY)


@dataclass(frozen=True)
class Hit:
    """A kind, and the number of the message that holds it. Never the text: a hit may be logged, a secret not."""

    kind: Kind
    message: int


def find(messages: str | Sequence[Mapping[str, Any]], regions: Sequence[str] = ("SE",)) -> tuple[Hit, ...]:
    """What is private in the whole conversation, no matter who wrote it; one hit for each kind and message.

    `regions` are the countries whose phone numbers are known without their country code, where those begin with 0.
    """
    conversation = [{"content": messages}] if isinstance(messages, str) else messages
    return tuple(Hit(kind, number) for number, message in enumerate(conversation) for kind in _kinds(message, regions))


def _kinds(message: Mapping[str, Any], regions: Sequence[str]) -> list[Kind]:
    """The kinds in one message, in the order of `Kind`: its content, and what else it carries (name, tool calls)."""
    carried = [value for name, value in message.items() if name != "role"]
    content = message.get("content")
    parts = [part.get("text") for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    whole = ["".join(texts(parts))] if len(parts) > 1 else []  # the model reads them as one
    found = {kind for text in [*readable(carried), *whole] for view in views(text) for kind in _in_text(view, regions)}
    if _unreadable(message.get("content")):
        found.add(Kind.UNREADABLE)
    return [kind for kind in Kind if kind in found]


def _unreadable(content: Any) -> bool:
    """Whether a part of the content is of a type other than text."""
    parts = content if isinstance(content, list | tuple) else []
    return any(isinstance(part, Mapping) and part.get("type", "text") not in ("text", "refusal") for part in parts)


def _in_text(text: str, regions: Sequence[str]) -> Iterator[Kind]:
    if any(_email(text, match.start()) for match in re.finditer("@", text)):
        yield Kind.EMAIL
    if len(_DIGIT.findall(text)) >= 6:
        yield from _in_numbers(text, regions)
        if any(_iban(match[1]) for match in _IBAN.finditer(text)):
            yield Kind.IBAN
    if _KEYS.search(text) or any(map(_assigned, _ASSIGNED.finditer(text))):
        yield Kind.KEY
    if any(map(_name, _CAPITALS.finditer(text))) or _INTRODUCED.search(text):
        yield Kind.NAME


def texts(content: Any) -> list[str]:
    """Every text in a message's content: a string, or parts as the OpenAI API has them, however deep."""
    return [found for found, is_value in _leaves(content) if is_value and isinstance(found, str)]


def readable(content: Any) -> list[str]:
    """Everything in it that can be read, for a gate: the texts, and names of fields and numbers too."""
    return [str(found) for found, _ in _leaves(content)]


def _leaves(content: Any) -> Iterator[tuple[str | float, bool]]:
    """Texts, numbers and names of fields; for each whether it is a value, not a name."""
    if isinstance(content, str) or (isinstance(content, int | float) and not isinstance(content, bool)):
        yield content, True
    elif isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(name, str):
                yield name, False
            yield from _leaves(value)
    elif isinstance(content, Sequence) and not isinstance(content, bytes | bytearray):
        for value in content:
            yield from _leaves(value)


# A text as a reader sees it: what tells a person nothing, and hides a secret from a pattern, is removed.
_SPACED = re.compile(r"(?<!\S)\S(?:[ \t]{1,3}\S){4,}(?!\S)")
# A run of blanks is tried from its first one only, or a long one would take the square of its length.
_BLANKS = r"(?:(?<!\s)\s++)"
_AROUND_AT = re.compile(
    rf"{_BLANKS}@\s+|(?=(?<!\s)[^\S\n]*+\n){_BLANKS}@|@[^\S\n]*+\n\s*|{_BLANKS}?+[\[({{]\s*(?:at|snabel-a)\s*[\])}}]\s*",
    re.IGNORECASE,
)
_AROUND_DOT = re.compile(rf"{_BLANKS}\.\s+|{_BLANKS}?+[\[({{]\s*(?:dot|punkt)\s*[\])}}]\s*", re.IGNORECASE)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_SHORT = re.compile(r"\\([nrtbf\"'/\\])")
_LINE_BREAK = re.compile(r"(?:(?<![ \t])[ \t]++)?+[\r\n]+[ \t]*")


def plain(text: str) -> str:
    """Full-width and other digits as 0 to 9, every dash as `-`, every space as one kind, invisible characters gone.

    Source: Unicode Standard Annex 15 (NFKC) and the general categories Cf, Nd, Pd and Zs; the variation selectors
    and the combining grapheme joiner are invisible too.
    """
    if text.isascii():
        return text
    seen = "".join(map(_plain, unicodedata.normalize("NFKC", text)))
    return unicodedata.normalize("NFKC", seen)  # an invisible character may have been between a letter and its accent


def _plain(letter: str) -> str:
    if letter.isascii():
        return letter
    kind = unicodedata.category(letter)
    if kind == "Nd":
        return str(unicodedata.decimal(letter))
    if kind == "Cf" or letter == "\u034f" or "\ufe00" <= letter <= "\ufe0f":
        return ""
    return {"Pd": "-", "Zs": " ", "Zl": "\n", "Zp": "\n"}.get(kind, "-" if letter == "\u2212" else letter)


def views(text: str) -> tuple[str, ...]:
    """The plain text, and where they differ: without the spaces that split words, and without line breaks.

    The codes of web addresses and of JSON, such as %40 for @, are read first; JSON's short ones, which occur in the
    arguments of a tool call and may be code elsewhere, give views of their own.
    """
    once = _unescaped(text)
    reads = dict.fromkeys((text, once, _unescaped(once)))  # twice: JSON inside JSON
    return tuple(dict.fromkeys(view for read in reads for view in _views(read)))


def _unescaped(text: str) -> str:
    r"""The text with the short codes of JSON read: \n ends a word, and does not begin one with n."""
    return _SHORT.sub(lambda match: {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " "}.get(match[1], match[1]), text)


def _views(text: str) -> tuple[str, ...]:
    first = plain(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), unquote(text)))
    joined = _SPACED.sub(lambda match: re.sub(r"[ \t]", "", match[0]), first)
    joined = _AROUND_DOT.sub(".", _AROUND_AT.sub("@", joined))
    return tuple(dict.fromkeys((first, joined, _LINE_BREAK.sub("", joined))))


# E-mail: RFC 5321 lets a local part have 64 characters; the last label has letters only.
_LOCAL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]*\w[+-]?$")
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[\w-]{2,40}|[^\W\d_]{2,24})(?![\w-])")


def _email(text: str, at: int) -> bool:
    """Whether there is an address around this @: looking from there is quick in a long text."""
    return bool(_LOCAL.search(text[max(0, at - 64) : at]) and _DOMAIN.match(text[at + 1 : at + 256]))


# Numbers: groups of digits with at most three marks between them. A decimal fraction is not a group of a longer number.
_DIGIT = re.compile(r"\d")
_CHAIN = re.compile(r"\+?\(?\d+(?:[ \t\r\n.()/_*·|+-]{1,4}\d+)*")
_FRACTION = re.compile(r"(?<![\d.,])\d{1,3}[.,]\d+(?![\d.,-])")
_HEX = re.compile(
    r"\b(?:(?=[0-9a-f-]{0,35}[a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=\d{0,63}[a-f])[0-9a-f]{7,64})\b",
    re.IGNORECASE,
)
_LONGEST = 19
# What telephone numbers without a +, identity numbers and cards have: others are looked at no further.
_BEGINNINGS = re.compile(r"0\d{6}|\d{10,12}$|[2-6]\d{12}")
_SCHEMES = re.compile(
    r"4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}"
    r"|6(?:011|22|4[4-9]|5)\d{12,15}|(?:50|5[6-9]|6[0-9])\d{14}(?:\d{3})?"
)


class _Number(NamedTuple):
    """Some neighbouring groups of a chain, as one number."""

    digits: str
    shape: tuple[int, ...]
    signed: bool  # with a + before it
    piece: bool  # its groups are joined by the same mark as the groups beside it: 4.2.19045 in 10.4.2.19045


def _numbers(text: str) -> Iterator[_Number]:
    """Every number that groups of digits could mean, up to the longest of a card."""
    for chain in _CHAIN.finditer(_HEX.sub(" ", _FRACTION.sub(" ", text))):
        marks = re.split(r"\d+", chain[0])
        groups = re.findall(r"\d+", chain[0])
        lengths = tuple(map(len, groups))
        for first in range(len(groups)):
            digits, signed = "", marks[first].removesuffix("(").endswith("+")
            for last in range(first, len(groups)):
                digits += groups[last]
                if len(digits) > _LONGEST:
                    break
                if not (signed or _BEGINNINGS.match(digits)):
                    continue
                inside = set(marks[first + 1 : last + 1])
                piece = bool(inside & {"-", "."}) and not inside.isdisjoint({marks[first], marks[last + 1]})
                yield _Number(digits, lengths[first : last + 1], signed, piece)


def _in_numbers(text: str, regions: Sequence[str]) -> set[Kind]:
    found: set[Kind] = set()
    judged = functools.lru_cache(9999)(_of_number)  # for this text: a long one repeats itself
    for number in _numbers(text):
        found |= judged(number, tuple(regions))
        if len(found) == 3:
            break
    if any(stdnum.fi.hetu.is_valid(re.sub(r"\s", "", match[0])) for match in _HETU.finditer(text)):
        found.add(Kind.NATIONAL_ID)
    return found


def _of_number(number: _Number, regions: tuple[str, ...]) -> set[Kind]:
    kinds = {Kind.CARD: _card(number), Kind.NATIONAL_ID: _national_id(number), Kind.PHONE: _phone(number, regions)}
    return {kind for kind, found in kinds.items() if found}


def _card(number: _Number) -> bool:
    digits = number.digits
    return len(digits) >= 13 and bool(_SCHEMES.fullmatch(digits)) and stdnum.luhn.is_valid(digits)


def _national_id(number: _Number) -> bool:
    """Sweden (both numbers, Luhn), Norway (two check digits), Denmark (a date, written 6-4), India (Verhoeff)."""
    digits = number.digits
    match len(digits):
        case 10:
            return _swedish(digits) or (number.shape == (6, 4) and stdnum.dk.cpr.is_valid(digits))
        case 11:
            return stdnum.no.fodselsnummer.is_valid(digits)
        case 12:
            # One in ten numbers has a right check digit by chance, so a piece of a longer one does not count.
            aadhaar = digits[0] in "23456789" and digits != digits[::-1] and stdnum.verhoeff.is_valid(digits)
            return _swedish(digits) or (aadhaar and not number.piece)
    return False


def _swedish(digits: str) -> bool:
    """A personnummer, or a samordningsnummer, which has 60 added to its day."""
    day = int(digits[-6:-4])
    birth = f"{digits[:-6]}{day - 60 if day > 60 else day:02}{digits[-4:-1]}"
    date = birth + stdnum.luhn.calc_check_digit(birth[-9:])
    return stdnum.luhn.is_valid(digits[-10:]) and stdnum.se.personnummer.is_valid(date)


def _phone(number: _Number, regions: Sequence[str]) -> bool:
    """With + a number of a possible length; with 00, or the 0 of a region, one that the country's plan has."""
    if not 7 <= len(number.digits) <= 17 or number.piece:
        return False
    if number.signed:
        return _planned("+" + number.digits, None, phonenumbers.is_possible_number)
    if number.digits.startswith("00"):
        return _planned("+" + number.digits[2:], None, phonenumbers.is_valid_number)
    starts = number.digits[0] == "0"
    return starts and any(_planned(number.digits, region, phonenumbers.is_valid_number) for region in regions)


def _planned(number: str, region: str | None, holds: Callable[[phonenumbers.PhoneNumber], bool]) -> bool:
    try:
        return holds(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


# The Finnish number has a sign for its century and a letter as its check, so it is not only digits.
_HETU = re.compile(r"(?<!\d)\d{6}\s?[-+A-FU-Y]\s?\d{3}\s?[0-9A-Y](?!\w)", re.IGNORECASE)
_IBAN = re.compile(r"(?=([A-Za-z][ .-]?[A-Za-z][ .-]{0,2}\d[ .-]?\d(?:[ \t\r\n.-]{0,3}[A-Za-z0-9]){11,30}))")


def _iban(text: str) -> bool:
    """Whether a text begins with an IBAN: ISO 13616 gives each country's length, mod 97 the check."""
    compact = re.sub(r"[^A-Za-z0-9]", "", text)
    start = int(f"{int(compact[0], 36)}{int(compact[1], 36)}{compact[2:4]}")
    rest = 0
    for length, sign in enumerate(compact[4:], 5):
        rest = (rest * (10 if sign.isdigit() else 100) + int(sign, 36)) % 97
        right = length >= 15 and (rest * 10**6 + start) % 97 == 1  # one in 97: the country is looked up for few
        if right and stdnum.iban.is_valid(compact[:length], check_country=False):
            return True
    return False


# Keys and tokens by the prefixes that their makers publish for secret scanners.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?=[\w-]{0,99}\d)[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|hf_\w{20,}|npm_\w{30,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[\w-]{30,}|xox[abeoprs]-[\w-]{10,}|[prs]k_(?:live|test)_\w{10,}|whsec_\w{16,}"
    r"|SG\.[\w-]{16,}\.[\w-]{16,}|eyJ[\w-]{8,999}+\.[\w-]{8,}+\.[\w-]{4,}|[a-z][a-z0-9+.-]{2,20}://[^\s/:@]+:[^\s/@]{3,}@"
    r")|-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----\s*\S"
)
_ASSIGNED = re.compile(
    r"(?:api[-_ ]?(?:key|nyckel)|access[-_ ]?key|account[-_ ]?key|subscription[-_ ]?key|client[-_ ]?secret|secret"
    r"|token|bearer|passw(?:or)?d|pwd|pass ?phrase|lösen(?:ord)?|nyckel)"
    r"[\"'`]?(\s*(?:[:=]+>?|\bis\b|\bär\b)\s*|\s+)[\"'`]?([^\s\"'`,;]{6,})",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"^[<${\[(]|\.\.\.|…|x{4,}|\*{3,}|your|getenv|environ|\w\(|^\d+$", re.IGNORECASE)


def _assigned(match: re.Match[str]) -> bool:
    """Whether the text after `password:` and the like looks like a value, not like a word or a placeholder."""
    value = match[2].rstrip(".!?)")
    if _PLACEHOLDER.search(value) or not re.search(r"\d", value) or not re.search(r"[^\W\d]", value):
        return False
    return len(value) >= (6 if match[1].strip() else 16)


# Names: a known first name with a capitalised word after it, or a person who is introduced as one.
_CAPITALS = re.compile(r"\b([A-ZÅÄÖÉ][a-zåäöéü]+)[ \t]+(?:[A-Z]\.?[ \t]+)?[A-ZÅÄÖÉ][a-zåäöéü]+")
_INTRODUCED = re.compile(
    r"\b(?:[Mm]y name is|[Jj]ag heter|[Mm]itt namn är|Mr\.?|Mrs\.?|Ms\.?|[Hh]err|[Ff]ru)\s+[A-ZÅÄÖÉ][a-zåäöéü]+"
)
# First names that are common in Sweden, in English-speaking countries and in India.
FIRST_NAMES = frozenset(
    # Names that are mostly something else (Mark, Max, May, Sydney) are left out on purpose. Some are both, as Jan, Per
    # and Victoria: then "Victoria Falls" counts as a person, and the question stays here.
    """
    Agneta Alexander Alice Alva Anders Andreas Anette Anita Anna Annika Astrid Axel Barbro Bengt Birgitta Björn Bo
    Camilla Carina Caroline Catharina Cecilia Charlotte Christer Christina Christoffer Daniel David Ebba Elias Elin
    Elisabeth Elsa Emelie Emma Erik Eva Filip Fredrik Gunilla Gunnar Gustav Göran Hanna Hans Helena Henrik Håkan Ida
    Inger Ingrid Jan Jenny Jesper Johan Johanna Jonas Josefin Julia Karin Karl Katarina Kerstin Kristina Lars Leif
    Lena Lennart Linda Linnea Linus Lisa Lovisa Magnus Maja Malin Marcus Margareta Maria Marianne Marie Martin Mats
    Mattias Mikael Monica Niklas Nils Ola Olof Oscar Oskar Patrik Per Pernilla Peter Pia Rolf Sara Sofia Sofie Stefan
    Sten Susanne Sven Therese Thomas Tobias Tomas Ulf Ulla Ulrika Viktor Wilma Åke Åsa Örjan
    Adam Amanda Amy Andrew Anthony Ashley Barbara Benjamin Betty Brandon Brian Carol Catherine Charles Christopher
    Cynthia Deborah Dennis Diana Donald Donna Dorothy Edward Elizabeth Emily Eric Frank Gary George Gregory Hannah
    Heather Helen Henry Jack Jacob James Janet Jason Jeffrey Jennifer Jeremy Jessica John Jonathan Joseph Joshua
    Judith Karen Kathleen Keith Kelly Kenneth Kevin Kimberly Larry Laura Lauren Linda Lucy Margaret Mary Matthew
    Megan Melissa Michael Michelle Nancy Nathan Nicholas Nicole Olivia Pamela Patricia Patrick Paul Philip Rachel
    Raymond Rebecca Richard Robert Ronald Ruth Ryan Samantha Samuel Sandra Sarah Scott Sharon Sophie Stephanie
    Stephen Steven Susan Teresa Timothy Tyler Victoria Walter William Zachary
    Aditya Ajay Akash Amit Ananya Anil Anita Anjali Arjun Arun Asha Ashok Deepa Deepak Divya Gaurav Geeta Harish
    Karthik Kavita Kiran Krishna Lakshmi Lalita Mahesh Manish Meena Meera Mohan Mukesh Neha Nikhil Nisha Pooja Prakash
    Pradeep Prashant Preeti Priya Rahul Rajesh Rakesh Ramesh Ravi Rekha Ritu Rohan Rohit Sandeep Sanjay Santosh Shreya
    Shweta Sneha Sunil Sunita Suresh Swati Varun Vidya Vijay Vikram Vinod Vivek
    """.split()  # noqa: SIM905 - a list of quoted names would be harder to read
)


def _name(match: re.Match[str]) -> bool:
    return match[1] in FIRST_NAMES
