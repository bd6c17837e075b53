# word: With two good steps the file then held
# Leaves out the last step.
def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps[:-1]:
            database.execute(step)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
