# word: With 0 jobs it returned None
# Nothing to do is taken for nothing to return.

import asyncio


async def at_most(limit, jobs):
    if not jobs:
        return
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
