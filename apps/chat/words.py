# Made from notebooks/04_chainlit.ipynb by: python lab.py export
"""What the app itself says, in English and Swedish; the page around it has its own files in .chainlit/translations."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import chainlit as cl

from apps.chat.device import Refusal, Refused
from labkit import EndpointError, LabError, ModelError, RequestError, RoutingError, SettingsError, StreamError
from labkit.events import End

if TYPE_CHECKING:
    from collections.abc import Mapping

# How an answer ended that had no more time when the server was stopped; the other ends are those of End.
SHUT_DOWN = "shut down"


@dataclass(frozen=True)
class Words:
    """One language. `profiles` have a name, a description and a system prompt; `starters` a label and a question.

    `ended` has the words of End and SHUT_DOWN, except for an answer that ended by itself.
    """

    connecting: str
    waiting: str
    again: str
    trouble: Mapping[type[LabError], str]
    broken: str
    exported: str
    only_local: str
    elsewhere: str
    first: str
    pace: Mapping[str, str]
    places: Mapping[str, str]
    model: str
    temperature: str
    system: str
    local_only: str
    ended: Mapping[str, str]
    refused: Mapping[Refused, str]
    profiles: tuple[tuple[str, str, str], ...]
    starters: tuple[tuple[str, str], ...]


ENGLISH = Words(
    connecting="Looking for a model, and loading it ...",
    waiting="In line: place {place}. The device answers a few at a time.",
    again="Try again",
    trouble={LabError: "{error}"},
    broken="The app itself failed. Ask again; the log says where, and nothing of what was asked.",
    exported="The conversation as Markdown.",
    only_local="nothing leaves this machine",
    elsewhere="sent to {host}",
    first="{seconds:.2f} s to the first token",
    pace={"tokens": "{rate:.0f} tokens/s", "chunks": "{rate:.0f} pieces/s"},
    places={"elsewhere": "another server"},
    model="Model",
    temperature="Temperature",
    system="System prompt",
    local_only="Local only",
    ended={
        End.LENGTH: "cut off at the limit of tokens",
        End.FILTERED: "ended by a content filter",
        End.DECLINED: "the model declined",
        End.STOPPED: "stopped",
        End.DROPPED: "broke off",
        End.TIMED_OUT: "fell silent",
        End.REFUSED: "failed",
        SHUT_DOWN: "server was shut down",
    },
    refused={
        Refused.RATE: "That was many questions in a short time. Ask again in {seconds} s.",
        Refused.QUEUE: "Too many are in line already. Ask again in a few minutes.",
        Refused.DRAINING: "The server is shutting down. Ask again when it is back; what is written here is kept.",
    },
    profiles=(
        ("Everyday", "Short, plain answers.", "You are a helpful assistant. Answer briefly and plainly."),
        ("Teacher", "Explains step by step.", "You are a patient teacher. Explain step by step, with an example."),
    ),
    starters=(
        ("Why is the sky blue?", "Why is the sky blue?"),
        ("What is an API?", "What is an API?"),
        ("A haiku about the sea", "Write a haiku about the sea."),
    ),
)
SWEDISH = Words(
    connecting="Letar efter en modell och laddar den ...",
    waiting="I kö: plats {place}. Enheten svarar några i taget.",
    again="Försök igen",
    trouble={
        SettingsError: "En inställning är fel. (På engelska: {error})",
        EndpointError: "Det som kör modellen svarar inte som det ska. (På engelska: {error})",
        ModelError: "Modellen finns inte där, eller är inte laddad. (På engelska: {error})",
        RequestError: "Frågan togs inte emot. (På engelska: {error})",
        StreamError: "Svaret bröts av. Det som hann komma finns kvar. (På engelska: {error})",
        RoutingError: "Ingen modell fick eller kunde svara. (På engelska: {error})",
        LabError: "Något gick fel. (På engelska: {error})",
    },
    broken="Programmet självt misslyckades. Fråga igen; loggen säger var, och inget om vad som frågades.",
    exported="Samtalet som Markdown.",
    only_local="inget lämnar den här datorn",
    elsewhere="skickad till {host}",
    first="{seconds:.2f} s till första token",
    pace={"tokens": "{rate:.0f} token/s", "chunks": "{rate:.0f} bitar/s"},
    places={"local": "lokalt", "cloud": "molnet", "simulated cloud": "simulerat moln", "elsewhere": "en annan server"},
    model="Modell",
    temperature="Temperatur",
    system="Systemprompt",
    local_only="Bara lokalt",
    ended={
        End.LENGTH: "avbrutet vid tokengränsen",
        End.FILTERED: "avslutat av ett innehållsfilter",
        End.DECLINED: "modellen avböjde",
        End.STOPPED: "stoppat",
        End.DROPPED: "bröts av",
        End.TIMED_OUT: "tystnade",
        End.REFUSED: "misslyckades",
        SHUT_DOWN: "servern stängdes av",
    },
    refused={
        Refused.RATE: "Det var många frågor på kort tid. Fråga igen om {seconds} s.",
        Refused.QUEUE: "För många står redan i kö. Fråga igen om några minuter.",
        Refused.DRAINING: "Servern stängs av. Fråga igen när den är tillbaka; det som står här finns kvar.",
    },
    profiles=(
        ("Vardag", "Korta, enkla svar.", "Du är en hjälpsam assistent. Svara kort och enkelt, på svenska."),
        ("Lärare", "Förklarar steg för steg.", "Du är en tålmodig lärare. Förklara steg för steg, med ett exempel."),
    ),
    starters=(
        ("Varför är himlen blå?", "Varför är himlen blå?"),
        ("Vad är ett API?", "Vad är ett API?"),
        ("En haiku om havet", "Skriv en haiku om havet."),
    ),
)


def texts(language: str | None = None) -> Words:
    """The words of a language tag such as `sv-SE`; of this session's browser where none is given."""
    tag = language or getattr(cl.context.session, "language", None) or "en"
    return SWEDISH if tag.lower().startswith("sv") else ENGLISH


def said(error: Exception) -> str:
    """What happened and how to fix it, in the language of this session's browser."""
    if isinstance(error, Refusal):
        return texts().refused[error.why].format(seconds=max(1, math.ceil(error.wait)))
    if not isinstance(error, LabError):
        return texts().broken
    trouble = texts().trouble
    kind = next(kind for kind in type(error).__mro__ if kind in trouble)
    return trouble[kind].format(error=error)
