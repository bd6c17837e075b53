# word: it returned None
# Waits, and returns nothing.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    await asyncio.gather(*(one(job) for job in jobs))
