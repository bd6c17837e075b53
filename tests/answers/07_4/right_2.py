def upgrade(database, steps):
    with database:
        database.execute("BEGIN")
        for step in steps:
            database.execute(step)
