# word: two good steps
# Never committed.


def upgrade(database, steps):
    database.execute("BEGIN")
    for step in steps:
        database.execute(step)
