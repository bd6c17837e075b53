# word: not the error of that step
# Goes on after ROLLBACK, and COMMIT then fails for another reason.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except Exception:
        database.execute("ROLLBACK")
    database.execute("COMMIT")
