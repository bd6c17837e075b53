"""The drills: an app that works, an endpoint that fails, and what has to stay on this machine."""

from __future__ import annotations

import asyncio
import contextlib
from secrets import token_hex
from urllib.parse import urlsplit

import aiohttp

from coursekit.capstone.bench import LONG, OFTEN, QUICK, SLOW, WINDOW, WORDS, Bench, Drill
from coursekit.capstone.report import DrillError
from coursekit.capstone.rules import holding, literal_keys, open_hosts, outside, short
from coursekit.chainlit_client import Page, PageError, log_in
from foundry_mock import Behaviour, Fault, Step

# How many growing texts the page must show, and how long a conversation must fit: messages, and words in each.
GROWING = 4
ROUNDS, LENGTH = 10, 220
# Tokens before the connection breaks.
BROKEN = 6
FORBIDDEN_ORIGIN = "http://elsewhere.example"


# An app that works: it starts, streams, stops, remembers, and makes one request for a message.


async def starts(bench: Bench) -> str:
    """The app is there and answers a first question."""
    if not await bench.app.healthy(bench.limits.answer):
        raise DrillError("/health does not answer 200")
    async with bench.endpoint(), bench.visit() as tab:
        await tab.ask("Count to 5.", "1 2 3 4 5", bench.limits.answer)
    return "it answers on /health, and a first question"


async def loopback(bench: Bench) -> str:
    """The app listens on loopback addresses only."""
    hosts = bench.app.listening()
    if not hosts:
        raise DrillError("the app listens on no port")
    if found := open_hosts(hosts):
        raise DrillError(f"it listens on {', '.join(found)}, where others can reach it")
    return f"it listens on {', '.join(sorted(set(hosts)))} only"


async def streams(bench: Bench) -> str:
    """The page grows while the endpoint is still far from the end of its answer."""
    waiting = "the page did not grow piece by piece while the endpoint was at work"
    async with bench.endpoint(SLOW) as mock, bench.visit() as tab:
        await tab.say(LONG)
        await tab.until(lambda: len(tab.states) >= GROWING or not tab.busy, bench.limits.answer, waiting)
        if len(tab.states) < GROWING or mock.counters.running != 1:
            raise DrillError(waiting)
    async with bench.endpoint(), bench.visit() as tab:
        await tab.ask("Count to 30.", " ".join(str(number) for number in range(1, 31)), bench.limits.answer)
    return f"{GROWING} growing texts were on the page while the endpoint was still at work"


async def neighbour(bench: Bench) -> str:
    """One user waits for a first token, and another gets an answer; a blocking client lets others in between pieces."""
    async with bench.endpoint() as mock, bench.visit() as second, bench.visit() as first:
        mock.fail(Fault.HANG)
        await first.say(LONG)
        await first.until(lambda: mock.counters.running, bench.limits.answer, "the endpoint was not asked")
        await second.say("Count to 3.")
        held_up = "while one user waited for a first token, a second user got none"
        await second.until(lambda: "1 2 3" in second.text, bench.limits.answer, held_up)
        if not first.busy:
            raise DrillError("a second user was answered only when the first had stopped waiting")
        if not await bench.app.healthy(bench.limits.answer):
            raise DrillError("while one user waited, /health did not answer")
    return "a second user was answered, and /health too, while a first one waited"


async def stops(bench: Bench) -> str:
    """Stop reaches the endpoint, and the partial answer stays."""
    async with bench.endpoint(SLOW) as mock, bench.visit() as tab:
        before = mock.counters.ended
        shown = await bench.under_way(tab, mock)
        await tab.stop()
        await bench.free(tab, mock, "after Stop")
        if mock.counters.ended > before:
            raise DrillError("after Stop the endpoint wrote its answer to the end")
        await tab.settled(bench.limits.ended)
        if shown and WORDS not in tab.text:
            raise DrillError(f"the part of the answer that had come is gone; the page shows: {short(tab.text)!r}")
        mock.state.behaviour = QUICK
        await tab.ask("Count to 3.", "1 2 3", bench.limits.answer)
    return f"the endpoint's running answers fell to zero{', and the partial answer stays' if shown else ''}"


async def tab_closed(bench: Bench) -> str:
    """When the tab closes, the endpoint stops writing the answer."""
    async with bench.endpoint(SLOW) as mock:
        async with bench.visit() as tab:
            before = mock.counters.ended
            await bench.under_way(tab, mock)
        await bench.free(tab, mock, "after the tab was closed")
        if mock.counters.ended > before:
            raise DrillError("after the tab was closed the endpoint wrote its answer to the end")
    return "the endpoint's running answers fell to zero"


async def one_call(bench: Bench) -> str:
    """The endpoint gets no request when a chat opens, and one for a message."""
    async with bench.endpoint() as mock, bench.visit() as tab:
        before = mock.counters.started
        if before:
            raise DrillError(f"opening a chat made {before} request(s) for an answer, before the user wrote anything")
        await tab.ask("Count to 3.", "1 2 3", bench.limits.answer)
        await asyncio.sleep(1)  # for what an app does after its answer
        calls = mock.counters.started - before
        if calls != 1:
            raise DrillError(f"one message made {calls} requests for an answer")
    return "opening a chat made no request, and one message made one"


async def remembers(bench: Bench) -> str:
    """The second question carries the first."""
    async with bench.endpoint(), bench.visit() as tab:
        await tab.ask("My name is Astrid.", "", bench.limits.answer)
        await tab.say("What is my name?")
        await tab.settled(bench.limits.answer)
        if "Astrid" not in tab.text:
            raise DrillError(f"the endpoint got the second question without the first: {short(tab.text)!r}")
    return "the second question carried the first"


async def bounded(bench: Bench) -> str:
    """A long conversation still fits into the window."""
    words = " ".join(f"w{number}" for number in range(LENGTH))
    async with bench.endpoint(QUICK) as mock, bench.visit() as tab:
        for number in range(1, ROUNDS + 1):
            await tab.say(f"Count to 9. {words}")
            await tab.settled(bench.limits.answer)
            if mock.counters.refused:
                raise DrillError(f"message {number} of {LENGTH} words each was refused: more than {WINDOW} tokens")
            if "1 2 3 4 5 6 7 8 9" not in tab.text:
                raise DrillError(f"message {number} of a long conversation got no answer: {short(tab.text)!r}")
    return f"{ROUNDS} messages of {LENGTH} words each fitted into {WINDOW} tokens, answers included"


# An endpoint that fails: each time the page says what to do, and the next question works.


async def server_error(bench: Bench) -> str:
    """The endpoint answers HTTP 500."""
    return await _survives(bench, Fault.SERVER_ERROR)


async def dropped(bench: Bench) -> str:
    """The connection breaks in the middle of the answer, with time to read what came before."""
    partial = " ".join(str(number) for number in range(1, BROKEN + 1))
    return await _survives(bench, Step(Fault.DROP, after=BROKEN), partial, SLOW)


async def hangs(bench: Bench) -> str:
    """The endpoint takes the question and then says nothing."""
    return await _survives(bench, Fault.HANG)


async def _survives(bench: Bench, fault: Fault | Step, partial: str = "", behaviour: Behaviour = QUICK) -> str:
    async with contextlib.AsyncExitStack() as stack:
        async with bench.endpoint(behaviour) as mock:
            tab = await stack.enter_async_context(bench.visit())
            mock.fail(*[fault] * OFTEN)
            await tab.say(LONG)
            said = await bench.complains(tab, partial)
            await bench.free(tab, mock, "after the fault")
        async with bench.endpoint():
            await tab.ask("Count to 3.", "1 2 3", bench.limits.answer)
    return f"the page said: {said}"


async def refused(bench: Bench) -> str:
    """The endpoint is gone while one user asks and another opens the app; then it is back."""
    async with contextlib.AsyncExitStack() as stack:
        async with bench.endpoint():
            tab = await stack.enter_async_context(bench.visit())
            await tab.ask("Count to 3.", "1 2 3", bench.limits.answer)
        await tab.say("Count to 4.")
        said = await bench.complains(tab)
        late = await stack.enter_async_context(bench.visit())
        async with bench.endpoint():
            await tab.ask("Count to 5.", "1 2 3 4 5", bench.limits.answer)
            await late.ask("Count to 5.", "1 2 3 4 5", bench.limits.answer)
    return f"the page said: {said}"


# What stays on this machine: keys and words, and who may talk to the app.


async def source(bench: Bench) -> str:
    """No file of the student contains a key."""
    if found := literal_keys(bench.app.code):
        raise DrillError(f"there seems to be a key in {', '.join(found)}")
    return "its files contain no key"


async def secrets(bench: Bench) -> str:
    """No log and no file contains the key or a word of a conversation, also after an error."""
    words = [f"kestrel{token_hex(6)}" for _ in range(2)]
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
    """A page of another origin, open in the same browser, cannot use the app."""
    async with bench.endpoint(), aiohttp.ClientSession() as http:
        page = Page(bench.app.url, http, headers={"Origin": FORBIDDEN_ORIGIN})
        await log_in(http, bench.app.url)
        try:
            await page.open(bench.limits.answer)
            await page.settled(bench.limits.answer)
        except PageError:
            return "a page of another origin was refused"
        finally:
            await page.close()
    raise DrillError(f"a page of {FORBIDDEN_ORIGIN} could open a chat, read it and write in it")


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


_SAY = "catch the error (LabError) and show a message that says what to do"
DRILLS = (
    Drill("starts", "It starts", "04", "read the app's own error: chainlit run app.py", starts),
    Drill("loopback", "It listens on this machine only", "04", "listen on 127.0.0.1, not on 0.0.0.0", loopback),
    Drill("streams", "The answer streams", "02", "send each piece with stream_token when it arrives", streams),
    Drill(
        "neighbour", "One user does not hold up another", "04", "use an async client in an async function", neighbour
    ),
    Drill("stops", "Stop reaches the endpoint", "02", "close the stream in every case: async with answer", stops),
    Drill("tab", "A closed tab ends its answer", "04", "cancel the session's task in @cl.on_chat_end", tab_closed),
    Drill(
        "one_call",
        "One message is one request",
        "04",
        "ask the endpoint only when the user has asked; for health, list the models",
        one_call,
    ),
    Drill("remembers", "It remembers the conversation", "01", "send the whole list of messages", remembers),
    Drill("bounded", "A long conversation fits", "02", "send the newest messages that fit: History.within", bounded),
    Drill("http_500", "It survives HTTP 500", "04", _SAY, server_error),
    Drill("dropped", "It survives a stream that breaks off", "02", f"{_SAY}, below the partial text", dropped),
    Drill("hangs", "It survives an endpoint that hangs", "04", f"give up after CHAT_PATIENCE; {_SAY}", hangs),
    Drill(
        "refused", "It survives an endpoint that is gone", "01", f"{_SAY}; connect again for the next question", refused
    ),
    Drill("source", "No key in the source", "01", "read the key from API_KEY, or keep it in .env", source),
    Drill("secrets", "Nothing in logs and files", "04", "print and write neither key nor messages", secrets),
    Drill("at_home", "The page stays at home", "04", "remove the links, as stay_at_home in apps/chat", at_home),
    Drill("stranger", "Only its own page may talk to it", "04", "check Origin, as Guard in apps/chat", stranger),
    Drill("escapes", "Answers cannot run", "04", "set unsafe_allow_html = false", escapes),
)
