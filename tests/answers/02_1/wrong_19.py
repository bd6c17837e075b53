# word: each job is to run once
# Runs each job once to see that it works, and once for the result.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            await job()
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
