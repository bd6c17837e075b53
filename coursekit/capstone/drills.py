"""The drills of an app that works: it starts, streams, stops, remembers, and keeps to one request a message."""

from __future__ import annotations

import asyncio

from coursekit.capstone.bench import LONG, QUICK, SLOW, WINDOW, WORDS, Bench, Drill
from coursekit.capstone.judge import open_hosts, short
from coursekit.capstone.verdict import DrillError
from foundry_mock import Fault

# How many growing texts the page must show, and how long a conversation must fit: messages, and words in each.
GROWING = 4
ROUNDS, LENGTH = 10, 220


async def starts(bench: Bench) -> str:
    """The app is there and answers a first question."""
    if not await bench.app.healthy(bench.limits.answer):
        raise DrillError("/health does not answer 200")
    async with bench.endpoint(), bench.visit() as tab:
        await tab.ask("Count to 5.", "1 2 3 4 5", bench.limits.answer)
    return "it answers on /health, and a first question"


async def loopback(bench: Bench) -> str:
    """Nothing of it listens on a network."""
    hosts = bench.app.listening()
    if not hosts:
        raise DrillError("nothing of the app listens")
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
    """A user whose answer does not come yet holds nobody up; a client that blocks gives way only between pieces."""
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
    """Stop reaches the endpoint, and what had come stays."""
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
    """Nobody reads on, so nobody writes on."""
    async with bench.endpoint(SLOW) as mock:
        async with bench.visit() as tab:
            before = mock.counters.ended
            await bench.under_way(tab, mock)
        await bench.free(tab, mock, "after the tab was closed")
        if mock.counters.ended > before:
            raise DrillError("after the tab was closed the endpoint wrote its answer to the end")
    return "the endpoint's running answers fell to zero"


async def one_call(bench: Bench) -> str:
    """What the endpoint is asked for a chat that opens and a message."""
    async with bench.endpoint() as mock, bench.visit() as tab:
        before = mock.counters.started
        if before:
            raise DrillError(f"opening a chat made {before} request(s) for an answer, before anybody had written")
        await tab.ask("Count to 3.", "1 2 3", bench.limits.answer)
        await asyncio.sleep(1)  # for what an app does after its answer
        calls = mock.counters.started - before
        if calls != 1:
            raise DrillError(f"one message made {calls} requests for an answer")
    return "opening a chat asked for nothing, and one message for one answer"


async def remembers(bench: Bench) -> str:
    """The second question carries the first."""
    async with bench.endpoint(), bench.visit() as tab:
        await tab.ask("My name is Astrid.", "", bench.limits.answer)
        await tab.say("What is my name?")
        await tab.settled(bench.limits.answer)
        if "Astrid" not in tab.text:
            raise DrillError(f"the second question came to the endpoint without the first: {short(tab.text)!r}")
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


WORKING = (
    Drill("starts", "It starts", "04", "look at the app's own words: chainlit run app.py", starts),
    Drill("loopback", "It listens on this machine only", "04", "listen on 127.0.0.1, not on 0.0.0.0", loopback),
    Drill("streams", "The answer streams", "02", "send each piece on with stream_token as it comes", streams),
    Drill(
        "neighbour", "One user does not hold up another", "04", "use an async client in an async function", neighbour
    ),
    Drill("stops", "Stop reaches the endpoint", "02", "close the stream in every case: async with answer", stops),
    Drill("tab", "A closed tab ends its answer", "04", "cancel the session's task in @cl.on_chat_end", tab_closed),
    Drill(
        "one_call",
        "One message is one request",
        "04",
        "ask when somebody has asked; for health, list the models",
        one_call,
    ),
    Drill("remembers", "It remembers the conversation", "01", "send the whole list of messages", remembers),
    Drill("bounded", "A long conversation fits", "02", "send the newest messages that fit: History.within", bounded),
)
