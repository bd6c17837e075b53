# word: jobs were running at the same time
# The door stands around the making of the task, not around the work.

import asyncio


async def at_most(limit, jobs):
    door, tasks = asyncio.Semaphore(limit), []
    for job in jobs:
        async with door:
            tasks.append(asyncio.create_task(job()))
    return await asyncio.gather(*tasks)
