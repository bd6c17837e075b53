# word: it returned {
# A dictionary of the results.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return dict(enumerate(await asyncio.gather(*(one(job) for job in jobs))))
