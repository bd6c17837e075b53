# word: still open
# Nobody ends what was begun, where a step fails.
def upgrade(database, steps):
    database.execute("BEGIN")
    for step in steps:
        database.execute(step)
    database.execute("COMMIT")
