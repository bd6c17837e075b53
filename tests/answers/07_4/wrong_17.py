# word: still open
# Back to the mark, and no end of the transaction.
def upgrade(database, steps):
    database.execute("SAVEPOINT before")
    try:
        for step in steps:
            database.execute(step)
    except Exception:
        database.execute("ROLLBACK TO before")
        raise
    database.execute("RELEASE before")
