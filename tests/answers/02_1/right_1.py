import asyncio


async def at_most(limit, jobs):
    results = [None] * len(jobs)
    queue = list(enumerate(jobs))[::-1]

    async def worker():
        while queue:
            number, job = queue.pop()
            results[number] = await job()

    await asyncio.gather(*(worker() for _ in range(limit)))
    return results
