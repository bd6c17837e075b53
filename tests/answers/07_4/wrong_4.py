# word: third step
# A script commits before it begins.


def upgrade(database, steps):
    database.execute("BEGIN")
    database.executescript(";".join(steps))
