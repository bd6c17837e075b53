"""The drills of an endpoint that fails: each time the page says what to do, and the next question works."""

from __future__ import annotations

import contextlib

from coursekit.capstone.bench import LONG, OFTEN, QUICK, SLOW, Bench, Drill
from foundry_mock import Behaviour, Fault, Step

# Tokens before the connection breaks.
BROKEN = 6


async def server_error(bench: Bench) -> str:
    """HTTP 500."""
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
    """Nothing listens any more, for one who asks and for one who comes; then it is back."""
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


_SAY = "catch the error (LabError) and show a message that says what to do"
FAULTS = (
    Drill("http_500", "It survives HTTP 500", "04", _SAY, server_error),
    Drill("dropped", "It survives a stream that breaks off", "02", f"{_SAY}, below the partial text", dropped),
    Drill("hangs", "It survives an endpoint that hangs", "04", f"give up after CHAT_PATIENCE; {_SAY}", hangs),
    Drill("refused", "It survives an endpoint that is gone", "01", f"{_SAY}; connect anew for the next", refused),
)
