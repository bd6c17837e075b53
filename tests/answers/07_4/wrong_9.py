# word: With two good steps the file then held [('milk',)]
# Takes everything back.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("ROLLBACK")
