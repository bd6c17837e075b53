# word: raised nothing
# Nothing is said.

import sqlite3


def upgrade(database, steps):
    database.execute("BEGIN")
    try:
        for step in steps:
            database.execute(step)
        database.execute("COMMIT")
    except sqlite3.Error:
        database.execute("ROLLBACK")
