# word: the file then held [('milk', 'red')]
# Keeps what went well.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except BaseException:
        database.execute("COMMIT")
        raise
    database.execute("COMMIT")
