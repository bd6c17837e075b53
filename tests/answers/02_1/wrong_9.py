# word: it returned [0]
# As many jobs as the limit, and no more.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs[:limit]))
