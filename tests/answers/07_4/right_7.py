import sqlite3


def upgrade(database, steps):
    database.execute("BEGIN")
    for number, step in enumerate(steps, 1):
        try:
            database.execute(step)
        except sqlite3.Error:
            database.execute("ROLLBACK")
            raise RuntimeError(f"step {number} failed, and nothing was changed")
    database.execute("COMMIT")
