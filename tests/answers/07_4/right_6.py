import contextlib


def upgrade(database, steps):
    with contextlib.ExitStack() as stack:
        database.execute("BEGIN EXCLUSIVE")
        stack.callback(lambda: database.execute("ROLLBACK") if database.in_transaction else None)
        cursor = database.cursor()
        for step in steps:
            cursor.execute(step)
        database.commit()
