def upgrade(database, steps):
    database.execute("SAVEPOINT before")
    try:
        for step in steps:
            database.execute(step)
    except Exception:
        database.execute("ROLLBACK TO before")
        database.execute("RELEASE before")
        raise
    database.execute("RELEASE before")
