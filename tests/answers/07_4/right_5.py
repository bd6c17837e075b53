def upgrade(database, steps):
    try:
        database.executescript(";".join(["BEGIN", *steps, "COMMIT"]))
    except BaseException:
        database.rollback()
        raise
