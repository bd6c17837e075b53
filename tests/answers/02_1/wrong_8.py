# word: order of the jobs
# Begins the last job first, and returns them so.

import asyncio


async def at_most(limit, jobs):
    door = asyncio.Semaphore(limit)

    async def one(job):
        async with door:
            return await job()

    return await asyncio.gather(*(one(job) for job in reversed(jobs)))
