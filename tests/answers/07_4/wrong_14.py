# word: changed the list of steps
def upgrade(database, steps):
    with database:
        database.execute("BEGIN")
        while steps:
            database.execute(steps.pop(0))
