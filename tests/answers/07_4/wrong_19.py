# word: Say COMMIT
# Ends with the last step, and where there is none, never.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for place, step in enumerate(steps):
            database.execute(step)
            if place == len(steps) - 1:
                database.execute("COMMIT")
    except Exception:
        database.execute("ROLLBACK")
        raise
