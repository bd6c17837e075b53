# word: a free place stayed empty
# A fixed row of jobs for each place: who is behind a slow job waits, though another place is free.

import asyncio


async def at_most(limit, jobs):
    results = [None] * len(jobs)

    async def row(place):
        for number in range(place, len(jobs), limit):
            results[number] = await jobs[number]()

    await asyncio.gather(*(row(place) for place in range(limit)))
    return results
