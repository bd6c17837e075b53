# word: overlap
# A lock lets one in, whatever the limit.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Lock()

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in jobs))
