# word: third step
# What was done before the mistake stays.


def upgrade(database, steps):
    for step in steps:
        database.execute(step)
