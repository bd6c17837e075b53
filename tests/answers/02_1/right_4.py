import asyncio


async def at_most(limit, jobs):
    queue = asyncio.Queue()
    for item in enumerate(jobs):
        queue.put_nowait(item)
    found = []

    async def worker():
        while not queue.empty():
            number, job = queue.get_nowait()
            found.append((number, await job()))

    await asyncio.gather(*[worker() for _ in range(min(limit, len(jobs)))])
    return [result for _, result in sorted(found)]
