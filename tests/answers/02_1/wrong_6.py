# word: With limit=3 at most 2 ran at once
# One place too few.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(max(1, limit - 1))

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
