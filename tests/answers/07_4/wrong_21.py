# word: not the error of that step
# An error that no longer says which.
def upgrade(database, steps):
    try:
        with database:
            database.execute("BEGIN")
            for step in steps:
                database.execute(step)
    except Exception:
        raise RuntimeError("the upgrade failed") from None
