# word: With two good steps it raised OperationalError
# Begins again at each step.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute("BEGIN")
            database.execute(step)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
