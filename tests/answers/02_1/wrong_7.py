# word: With limit=1, 3 jobs were running
# Hard-wires the limit.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(3)

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
