# word: a second step that breaks a rule
# Only one kind of error.
import sqlite3


def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
    except sqlite3.OperationalError:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
