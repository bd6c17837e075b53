# word: third step
# Each step by itself is all or nothing, and the whole is not.
def upgrade(database, steps):
    for step in steps:
        database.execute("BEGIN")
        try:
            database.execute(step)
        except Exception:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")
