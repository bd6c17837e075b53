# word: it returned [1, 2, 3]
# Loses a result that is 0.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return [result for result in await asyncio.gather(*(one(job) for job in jobs)) if result]
