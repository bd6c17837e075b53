# word: raised nothing
# The error as a result.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except Exception as error:
        database.execute("ROLLBACK")
        return error
    database.execute("COMMIT")
