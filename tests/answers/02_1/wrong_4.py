# word: did not end
# Never ends.

import asyncio


async def at_most(limit, jobs):
    await asyncio.Event().wait()
