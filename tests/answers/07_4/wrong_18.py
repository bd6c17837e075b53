# word: raised nothing
# Leaves out a step that fails.
import contextlib
import sqlite3


def upgrade(database, steps):
    with database:
        database.execute("BEGIN")
        for step in steps:
            with contextlib.suppress(sqlite3.Error):
                database.execute(step)
