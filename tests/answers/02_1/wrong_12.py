# word: it returned 4
# The number of results instead of the results.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return len(await asyncio.gather(*(one(job) for job in jobs)))
