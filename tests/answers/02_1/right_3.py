import asyncio


async def at_most(limit, jobs):
    results, running = {}, {}
    for number, job in enumerate(jobs):
        if len(running) == limit:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            results.update({running.pop(task): task.result() for task in done})
        running[asyncio.ensure_future(job())] = number
    results.update({number: await task for task, number in running.items()})
    return [results[number] for number in range(len(jobs))]
