def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except Exception as error:
        database.execute("ROLLBACK")
        raise RuntimeError("the migration failed") from error
    database.execute("COMMIT")
