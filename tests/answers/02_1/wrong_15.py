# word: With one job it returned 0
# A single result without its list.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    results = await asyncio.gather(*(one(job) for job in jobs))
    return results[0] if len(results) == 1 else results
