# word: overlap
# One after the other.


async def at_most(limit, jobs):
    return [await job() for job in jobs]
