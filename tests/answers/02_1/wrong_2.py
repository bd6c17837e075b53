# word: order of the jobs
# In the order in which they end.

import asyncio


async def at_most(limit, jobs):
    door, results = asyncio.Semaphore(limit), []

    async def one(job):
        async with door:
            results.append(await job())

    await asyncio.gather(*(one(job) for job in jobs))
    return results
