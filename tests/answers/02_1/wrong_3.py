# word: running at the same time
# A door for each job is no door.

import asyncio


async def at_most(limit, jobs):
    async def one(job):
        async with asyncio.Semaphore(limit):
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
