"""The drills of what stays on this machine: keys, words, and who may talk to the app."""

from __future__ import annotations

import secrets as random
from urllib.parse import urlsplit

import aiohttp

from coursekit.capstone.bench import OFTEN, Bench, Drill
from coursekit.capstone.judge import holding, literal_keys, outside
from coursekit.capstone.verdict import DrillError
from coursekit.chainlit_client import Page, PageError, log_in
from foundry_mock import Fault

STRANGER = "http://elsewhere.example"


async def source(bench: Bench) -> str:
    """No key in what the student wrote."""
    if found := literal_keys(bench.app.code):
        raise DrillError(f"what looks like a key stands in {', '.join(found)}")
    return "no key stands in its files"


async def secrets(bench: Bench) -> str:
    """Neither the key nor a word of a conversation in a log or a file, also when something goes wrong."""
    words = [f"kestrel{random.token_hex(6)}" for _ in range(2)]
    async with bench.endpoint() as mock, bench.visit() as tab:
        await tab.ask(f"Tell me about {words[0]}.", words[0], bench.limits.answer)
        mock.fail(*[Fault.SERVER_ERROR] * OFTEN)
        await tab.say(f"Tell me about {words[1]}.")
        await tab.settled(bench.limits.complaint)
    app = bench.app
    log = app.log.read_text(encoding="utf-8", errors="replace")
    wrong = ["the key is in the log"] if bench.key in log else []
    wrong += ["words of a message are in the log"] if any(word in log for word in words) else []
    for folder, databases in ((app.code, True), (app.home, True), (app.cache, False)):
        found = [*holding(folder, [bench.key]), *holding(folder, words, databases=databases)]
        wrong += [f"the key or words of a message are in {folder.name}/{name}" for name in sorted(set(found))]
    if wrong:
        raise DrillError("; ".join(wrong))
    return "neither the key nor a word of a message is in its log or its files"


async def at_home(bench: Bench) -> str:
    """The page loads nothing from elsewhere."""
    html = (await bench.app.get("/")).text
    if found := outside(html, urlsplit(bench.app.url).netloc):
        hosts = sorted({urlsplit(address).netloc for address in found})
        raise DrillError(f"the page loads from {', '.join(hosts)}")
    return "the page loads nothing from another host"


async def stranger(bench: Bench) -> str:
    """A page of another origin, open in the same browser."""
    async with bench.endpoint(), aiohttp.ClientSession() as http:
        page = Page(bench.app.url, http, headers={"Origin": STRANGER})
        await log_in(http, bench.app.url)
        try:
            await page.open(bench.limits.answer)
            await page.settled(bench.limits.answer)
        except PageError:
            return "a page of another origin was turned away"
        finally:
            await page.close()
    raise DrillError(f"a page of {STRANGER} could open a chat, read it and write in it")


async def escapes(bench: Bench) -> str:
    """HTML in an answer is text. The settings that run count, whether a file or the code made them."""
    async with (
        bench.endpoint(),
        bench.visit() as tab,
        tab.http.get(f"{bench.app.url}/project/settings?language=en-US") as reply,
    ):
        if reply.status != 200:
            raise DrillError(f"its settings could not be read (HTTP {reply.status})")
        features = (await reply.json()).get("features") or {}
    if features.get("unsafe_allow_html"):
        raise DrillError("unsafe_allow_html is on: a model's HTML would run in the page")
    return "HTML in an answer is shown, not run"


KEEPING = (
    Drill("source", "No key in the source", "01", "read the key from API_KEY, or keep it in .env", source),
    Drill("secrets", "Nothing in logs and files", "04", "print and write neither key nor messages", secrets),
    Drill("at_home", "The page stays at home", "04", "take the links out, as stay_at_home in apps/chat", at_home),
    Drill("stranger", "Only its own page may talk to it", "04", "check Origin, as Guard in apps/chat", stranger),
    Drill("escapes", "Answers cannot run", "04", "set unsafe_allow_html = false", escapes),
)
