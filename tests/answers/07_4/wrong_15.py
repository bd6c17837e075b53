# word: no steps at all it raised IndexError
def upgrade(database, steps):
    with database:
        database.execute("BEGIN")
        database.execute(steps[0])
        for step in steps[1:]:
            database.execute(step)
