# word: it returned 0
# The first result alone.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return (await asyncio.gather(*(one(job) for job in jobs)))[0]
