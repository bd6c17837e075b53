# Looks again and again whether there is a place.

import asyncio


async def at_most(limit, jobs):
    tasks = []
    for job in jobs:
        while sum(not task.done() for task in tasks) >= limit:
            await asyncio.sleep(0.001)
        tasks.append(asyncio.create_task(job()))
    return list(await asyncio.gather(*tasks))
