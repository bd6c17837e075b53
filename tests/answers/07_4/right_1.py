def upgrade(database, steps):
    database.execute("BEGIN IMMEDIATE")
    done = False
    try:
        for step in steps:
            database.execute(step)
        done = True
    finally:
        database.execute("COMMIT" if done else "ROLLBACK")
