# word: running at the same time
# One place too many.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit + 1)

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
