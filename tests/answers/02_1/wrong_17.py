# word: a free place stayed empty
# In groups: the next group begins only when the slowest of this one has ended.

import asyncio


async def at_most(limit, jobs):
    results = []
    for start in range(0, len(jobs), limit):
        results += await asyncio.gather(*(job() for job in jobs[start : start + limit]))
    return results
