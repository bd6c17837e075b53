# word: third step
# Without BEGIN there is nothing to roll back.
def upgrade(database, steps):
    try:
        for step in steps:
            database.execute(step)
    except Exception:
        database.rollback()
        raise
