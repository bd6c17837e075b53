"""The chat application's database: its address, its migrations and its backups, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from foundry_mock import MockEndpoint
from labkit import SettingsError
from tests.support import chat_app as faults

ROOT = Path(__file__).resolve().parents[2]
with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # Chainlit writes its settings where it is imported, and some of its own imports warn.
    warnings.simplefilter("ignore")
    patch.setenv("CHAINLIT_APP_ROOT", tempfile.mkdtemp(prefix="chainlit-"))
    import chainlit as cl
    import chainlit.types

    from apps.chat import store
    from apps.chat.schema import PASSING, StoreError, create_tables
    from apps.chat_prod import backup, migrations, snapshot, threads
    from apps.chat_prod.database import Database, folder, transaction

if os.name != "nt":
    from tests.support import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD = (ROOT / "tests" / "data" / "threads-version-1.sql").read_text(encoding="utf-8")
NEWEST = migrations.MIGRATIONS[-1].version
SECRET = "a-password-that-nobody-sees"
# Stops a process after its second statement that makes an index, and says so.
STALLED = """
import sys, time
from sqlalchemy import Engine, event
from apps.chat_prod.database import Database
from apps.chat_prod.migrations import migrate

@event.listens_for(Engine, "after_cursor_execute")
def stall(connection, cursor, statement, *_):
    if "steps_in_order" in statement:
        print("here", flush=True)
        time.sleep(600)

migrate(Database.told())
"""
MIGRATES = """
import sys
from apps.chat_prod.database import Database
from apps.chat_prod.migrations import migrate
print("ready", flush=True)
sys.stdin.readline()
print(*migrate(Database.told()))
"""


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """One PostgreSQL for all tests here."""
    if os.name == "nt" or not postgres.find():
        pytest.skip("PostgreSQL is not here: apt-get install postgresql")
    with postgres.serving() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return Database.at(tmp_path / "chat" / "threads.db")
    return Database.at(request.getfixturevalue("server").create())


def told(database: Database) -> dict[str, str]:
    """The variables of a process that is to use this database."""
    place = f"sqlite+aiosqlite:///{database.file}" if database.file else database.address
    return os.environ | {"DATABASE_URL": place, "PYTHONPATH": str(ROOT)}


def run(database: Database, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last statement."""

    def work(connection: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            done = connection.execute(text(statement))
            rows = [tuple(row) for row in done] if done.returns_rows else []
        return rows

    return database.run(work)


def of_before(database: Database) -> Database:
    """A database as it was before there were versions, with a conversation in it."""
    if database.file:
        database.file.parent.mkdir(parents=True, exist_ok=True)
    run(database, *(part for part in OLD.split("\n", 1)[1].split(";") if part.strip()))
    fill(database, "old", "kept")
    return database


def fill(database: Database, thread: str, *messages: str) -> None:
    """A thread with these messages, and a thumb for each, in one transaction."""

    def work(connection: Any) -> None:
        with transaction(connection, "BEGIN IMMEDIATE" if database.file else "BEGIN"):
            put(connection, "threads", {"id": thread, "name": f"n {thread}", "createdAt": "2026-01-01"})
            for number, message in enumerate(messages):
                step = {"id": f"{thread}-{number}", "threadId": thread, "name": "n", "type": "user_message"}
                put(connection, "steps", step | {"streaming": False, "output": message, "createdAt": str(number)})
                thumb = {"id": f"f{thread}-{number}", "forId": f"{thread}-{number}", "threadId": thread, "value": 1}
                put(connection, "feedbacks", thumb)

    database.run(work)


def put(connection: Any, table: str, row: dict[str, Any]) -> None:
    """Insert one row."""
    names, values = ", ".join(f'"{name}"' for name in row), ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)


def everything(database: Database) -> dict[str, list[str]]:
    """All rows of all tables but the one of versions."""
    tables = ("users", "threads", "steps", "elements", "feedbacks")
    return {table: sorted(map(repr, run(database, f"SELECT * FROM {table}"))) for table in tables}


def indexes(database: Database) -> set[str]:
    """The names of our indexes."""
    kinds = {
        True: "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        False: "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexdef NOT LIKE '%UNIQUE%'",
    }
    return {name for (name,) in run(database, kinds[database.file is not None])}


def ran(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`backup.py` in a process of its own, as lab.py starts it."""
    command = [sys.executable, "-m", "apps.chat_prod.backup", *arguments]
    return subprocess.run(command, env=told(database), capture_output=True, text=True, timeout=250, check=False)


# Addresses.


def test_without_a_variable_the_threads_are_a_file(own_cache: Path) -> None:
    assert Database.told().file == own_cache / "chat" / "threads.db" == folder() / "threads.db"
    assert Database.told({"LABKIT_CACHE": "/x", "DATABASE_URL": " "}).file == Path("/x/chat/threads.db").resolve()


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+asyncpg"])
def test_both_names_of_postgresql(scheme: str) -> None:
    pytest.importorskip("asyncpg")
    database = Database.at(f"{scheme}://anna:{SECRET}@db.local:5433/chat?sslmode=require")
    assert database.address == f"postgresql+asyncpg://anna:{SECRET}@db.local:5433/chat?ssl=require"
    assert (str(database), repr(database)) == ("chat on db.local:5433", "Database(chat on db.local:5433)")
    assert database.file is None


def test_a_file_by_its_address(tmp_path: Path) -> None:
    assert Database.at(f"sqlite+aiosqlite:///{tmp_path}/a.db").file == (tmp_path / "a.db").resolve()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (f"mysql://anna:{SECRET}@h/x", "mysql"),
        (f"postgres://anna:{SECRET}@h/x", "postgres://"),
        (f"postgresql+psycopg://anna:{SECRET}@h/x", "psycopg"),
        (f"sqlite:///{SECRET}.db", "sqlite"),
        (SECRET, "not the address"),
        ("postgresql", "not the address"),
        ("postgresql://", "no database"),
        (f"postgresql://anna:{SECRET}@h:port/x", "not the address"),
        (f"postgresql://anna:{SECRET}@h", "no database"),
        ("sqlite+aiosqlite://", "no database"),
        ("sqlite+aiosqlite:///:memory:", "no database"),
    ],
)
def test_an_address_that_makes_no_sense(address: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        Database.at(address)
    assert SECRET not in str(caught.value)
    assert "postgresql://USER:PASSWORD@HOST" in caught.value.fix


def test_without_the_driver_the_cure_is_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="not installed") as caught:
        Database.at("postgresql://h/x")
    assert caught.value.fix == "pip install asyncpg"


def test_a_server_that_is_not_there(closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("asyncpg")
    address = f"postgresql://anna:{SECRET}@127.0.0.1:{closed_port}/x"
    with pytest.raises(SettingsError, match="cannot be opened") as caught:
        migrations.migrate(Database.at(address))
    assert SECRET not in str(caught.value)
    with pytest.raises(SettingsError, match="the database x on") as ended:
        threads.open_threads(address)
    assert SECRET not in str(ended.value)
    assert SECRET not in "".join(capsys.readouterr())


# Migrations.


def test_the_numbers_have_no_gap() -> None:
    assert [each.version for each in migrations.MIGRATIONS] == list(range(1, NEWEST + 1))


def test_an_empty_database_gets_all(database: Database) -> None:
    assert migrations.migrate(database) == (0, NEWEST)
    assert migrations.migrate(database) == (NEWEST, NEWEST)
    assert indexes(database) == {"steps_in_order", "threads_of_user", "feedbacks_of_step"}
    versions = run(database, "SELECT version FROM schema_version ORDER BY version")
    assert versions == [(number,) for number in range(1, NEWEST + 1)]
    if database.file:
        assert not (database.file.parent / "backups").exists()
        assert run(database, "PRAGMA journal_mode") == [("wal",)]
        if os.name != "nt":
            assert stat.S_IMODE(database.file.stat().st_mode) == 0o600


def test_the_first_migration_is_what_was_there(tmp_path: Path) -> None:
    made, old = Database.at(tmp_path / "made.db"), of_before(Database.at(tmp_path / "old.db"))
    run(made, *migrations.FIRST.statements)
    for table in ("users", "threads", "steps", "elements", "feedbacks"):
        assert run(made, f"PRAGMA table_info({table})") == run(old, f"PRAGMA table_info({table})")
    assert indexes(made) == indexes(old)


def test_an_old_database_keeps_all_and_is_copied_first(database: Database) -> None:
    of_before(database)
    before = everything(database)
    assert migrations.migrate(database) == (1, NEWEST)
    assert everything(database) == before
    if database.file:
        (copy,) = (database.file.parent / "backups").glob("before-version-2-*.db")
        assert everything(Database.at(copy)) == before
        assert indexes(Database.at(copy)) == {"steps_of_thread", "threads_of_user"}


def test_messages_without_a_thread_go(tmp_path: Path) -> None:
    """Version 1 let SQLite keep them."""
    database = of_before(Database.at(tmp_path / "threads.db"))
    before = everything(database)
    run(
        database,
        "INSERT INTO steps (id, name, type, \"threadId\", streaming) VALUES ('lost', 'n', 'x', 'gone', FALSE)",
        "INSERT INTO feedbacks (id, \"forId\", value) VALUES ('lost', 'lost', 1)",
    )
    migrations.migrate(database)
    assert everything(database) == before


def test_a_newer_database_is_left_as_it_is(database: Database) -> None:
    migrations.migrate(database)
    run(database, f"INSERT INTO schema_version VALUES ({NEWEST + 1}, 'to come', '')")
    before = everything(database), indexes(database)
    with pytest.raises(StoreError, match=f"has version {NEWEST + 1}, and this app knows {NEWEST}"):
        migrations.migrate(database)
    assert (everything(database), indexes(database)) == before


def test_a_migration_that_fails_changes_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    of_before(database)
    before = everything(database), indexes(database)
    broken = replace(migrations.SECOND, statements=(*migrations.SECOND.statements, "SELECT nonsense FROM nowhere"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (migrations.FIRST, broken))
    with pytest.raises(StoreError, match="nowhere"):
        migrations.migrate(database)
    assert (everything(database), indexes(database)) == before
    monkeypatch.undo()
    assert migrations.migrate(database) == (1, NEWEST)


def test_killed_in_the_middle_the_old_version_is_intact(database: Database) -> None:
    of_before(database)
    before = everything(database), indexes(database)
    command = [sys.executable, "-c", STALLED]
    with subprocess.Popen(command, env=told(database), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        process.kill()
    assert (everything(database), indexes(database)) == before
    assert migrations.migrate(database) == (1, NEWEST)
    assert everything(database) == before[0]


@pytest.mark.e2e
@pytest.mark.parametrize("prepare", [of_before, lambda database: database], ids=["old", "empty"])
def test_replicas_that_start_at_once_migrate_once(database: Database, prepare: Callable[[Database], Database]) -> None:
    prepare(database)
    command = [sys.executable, "-c", MIGRATES]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, env=told(database), text=True, **pipes) for _ in range(4)]
    for process in started:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in started]
    assert [process.returncode for process in started] == [0] * 4, ended
    assert all(out.split()[1] == str(NEWEST) for out, _ in ended)
    if prepare is of_before and database.file:
        assert len(list((database.file.parent / "backups").glob("before-*.db"))) == 1


def test_the_write_ahead_log_waits_for_who_writes(tmp_path: Path) -> None:
    """Of two replicas that start at once, one writes while the other switches the log on; SQLite would not wait."""
    file = tmp_path / "threads.db"
    migrations.migrate(Database.at(file))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("PRAGMA journal_mode=DELETE")
        other.execute("BEGIN IMMEDIATE")
        later = threading.Timer(0.5, other.execute, ["COMMIT"])
        later.start()
        Database.at(file).run(migrations._write_ahead)
        later.join()
    with contextlib.closing(sqlite3.connect(file)) as another:
        assert another.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# Backups.


def test_a_backup_is_restored_whole(database: Database, tmp_path: Path) -> None:
    migrations.migrate(database)
    fill(database, "å 💬 '\"\\", "one", "two\n" * 1000)
    fill(database, "empty")
    before = everything(database)
    copy = backup.save(database, tmp_path / "backups")
    contents = backup.verify(copy, database)
    assert (contents.rows["threads"], contents.messages, contents.dangling) == (2, 2, 0)
    assert set(contents.threads) == {"å 💬 '\"\\", "empty", ""}
    fill(database, "later", "written after the backup")
    after = everything(database)
    kept = backup.restore(copy, database).kept
    assert everything(database) == before
    assert kept
    place = Database.at(Path(kept)) if database.file else Database(database.url.set(database=kept))
    assert everything(place) == after
    if os.name != "nt":
        for file in (tmp_path / "backups").iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "backups").stat().st_mode) == 0o700
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == [copy.name, f"{copy.name}.json"]


def test_a_backup_of_before_an_upgrade_comes_back_in_the_newest_version(database: Database, tmp_path: Path) -> None:
    of_before(database)
    before = everything(database)
    copy = backup.save(database, tmp_path / "backups")
    migrations.migrate(database)
    backup.restore(copy, database)
    assert everything(database) == before
    assert migrations.migrate(database) == (NEWEST, NEWEST)


def test_a_restore_where_nothing_is(database: Database, tmp_path: Path) -> None:
    migrations.migrate(database)
    fill(database, "a", "b")
    before = everything(database)
    copy = backup.save(database, tmp_path / "backups")
    if database.file:
        target = Database.at(tmp_path / "elsewhere" / "new.db")
    else:
        target = Database(database.url.set(database="never_there_before"))
    assert backup.restore(copy, target).kept is None
    assert everything(target) == before


def test_a_backup_of_a_newer_app_is_not_put_in_place(database: Database, tmp_path: Path) -> None:
    migrations.migrate(database)
    run(database, f"INSERT INTO schema_version VALUES ({NEWEST + 1}, 'to come', '')")
    copy = backup.save(database, tmp_path / "backups")
    run(database, f"DELETE FROM schema_version WHERE version = {NEWEST + 1}")
    fill(database, "mine", "still here")
    before = everything(database)
    with pytest.raises(StoreError, match=f"has version {NEWEST + 1}"):
        backup.restore(copy, database)
    assert everything(database) == before


def edit(copy: Path, *statements: str) -> None:
    """Change a backup by hand."""
    with contextlib.closing(sqlite3.connect(copy)) as opened:
        for statement in statements:
            opened.execute(statement)
        opened.commit()


PLACE = "SELECT rootpage FROM sqlite_master WHERE name = 'feedbacks_of_step'"
# Ways in which a backup comes to be another than the one that was saved.
SPOILT: dict[str, Callable[[Path], object]] = {
    "changed": lambda copy: edit(copy, "UPDATE steps SET output = 'forged'"),
    "shorter": lambda copy: edit(copy, "DELETE FROM steps"),
    # An index that does not fit its table: no row is other, and only the check of integrity sees it.
    "index": lambda copy: edit(
        copy,
        "PRAGMA writable_schema=ON",
        f"UPDATE sqlite_master SET rootpage = ({PLACE}) WHERE name = 'threads_of_user'",
    ),
    "cut": lambda copy: copy.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2]),
    "empty": lambda copy: copy.write_bytes(b""),
    "noise": lambda copy: copy.write_bytes(b"x" * copy.stat().st_size),
    "without its list": lambda copy: copy.with_name(f"{copy.name}.json").unlink(),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_backup_is_found_and_not_put_in_place(tmp_path: Path, how: str) -> None:
    database = Database.at(tmp_path / "threads.db")
    migrations.migrate(database)
    fill(database, "a", *(f"{number}" * 500 for number in range(50)))
    before = everything(database)
    copy = backup.save(database, tmp_path / "backups")
    SPOILT[how](copy)
    for work in (backup.verify, backup.restore):
        with pytest.raises(StoreError) as caught:
            work(copy, database)
        assert caught.value.fix == "use another backup"
        assert how != "shorter" or "steps has 0 rows instead of 50" in caught.value.message
    assert everything(database) == before
    assert not [*tmp_path.glob("*replaced*"), *tmp_path.glob("*.part")]


@pytest.mark.e2e
def test_a_spoilt_backup_of_postgresql_is_found(server: postgres.Server, tmp_path: Path) -> None:
    database = Database.at(server.create())
    migrations.migrate(database)
    fill(database, "a", "b" * 5000)
    first = backup.save(database, tmp_path / "backups")
    fill(database, "c", "d")
    second = backup.save(database, tmp_path / "backups")
    names = "SELECT COUNT(*) FROM pg_database"
    count = server.sql("postgres", names)
    whole = first.read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", b"x" * 100, second.read_bytes()):
        first.write_bytes(spoilt)
        for work in (backup.verify, backup.restore):
            with pytest.raises(StoreError):
                work(first, database)
    assert server.sql("postgres", names) == count  # no temporary database is left
    first.write_bytes(whole)
    backup.verify(first, database)


def test_a_damaged_file_is_replaced_and_kept_as_it_is(tmp_path: Path) -> None:
    database = Database.at(tmp_path / "threads.db")
    assert database.file
    migrations.migrate(database)
    fill(database, "a", "b")
    before = everything(database)
    copy = backup.save(database, tmp_path / "backups")
    noise = os.urandom(9000)
    database.file.write_bytes(noise)
    (tmp_path / "threads.db-wal").write_bytes(b"log")
    kept = backup.restore(copy, database).kept
    assert everything(database) == before
    assert kept
    assert Path(kept).read_bytes() == noise
    assert Path(f"{kept}-wal").read_bytes() == b"log"


def test_a_damaged_file_is_said_where_it_is_opened_and_saved(tmp_path: Path) -> None:
    file = tmp_path / "threads.db"
    file.write_bytes(b"noise" * 1000)
    with pytest.raises(StoreError, match="not a database") as caught:
        threads.open_threads(file)
    assert "--restore" in caught.value.fix
    with pytest.raises(StoreError, match="not a database"):
        backup.save(Database.at(file), tmp_path / "backups")
    with pytest.raises(StoreError, match="not a database"):
        create_tables(file)
    assert file.read_bytes() == b"noise" * 1000
    assert not list((tmp_path / "backups").iterdir())


def test_a_backup_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.at(tmp_path / "threads.db")
    migrations.migrate(database)
    (tmp_path / "backups").touch()
    with pytest.raises(StoreError, match="could not be written") as caught:
        backup.save(database, tmp_path / "backups")
    assert "LABKIT_CACHE" in caught.value.fix

    def full(*_: object) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sqlite3, "connect", full)
    with pytest.raises(StoreError, match="disk is full"):
        backup.save(database, tmp_path / "others")


def test_the_newest_backups_stay(tmp_path: Path) -> None:
    database = Database.at(tmp_path / "threads.db")
    migrations.migrate(database)
    made = [backup.save(database, tmp_path / "backups") for _ in range(backup.KEEP + 3)]
    assert sorted((tmp_path / "backups").glob("*.db")) == made[3:]
    assert len(list((tmp_path / "backups").iterdir())) == 2 * backup.KEEP


def test_a_backup_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    dump = tmp_path / "threads-1.dump"
    dump.touch()
    with pytest.raises(StoreError, match="not of the kind"):
        backup.restore(dump, Database.at(tmp_path / "threads.db"))
    with pytest.raises(StoreError, match="there is no backup"):
        backup.verify(tmp_path / "none.db", Database.at(tmp_path / "threads.db"))
    with pytest.raises(StoreError, match="no threads"):
        backup.save(Database.at(tmp_path / "threads.db"), tmp_path)


def test_without_the_tools_of_postgresql_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("asyncpg")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StoreError, match="pg_dump is not on this machine"):
        snapshot.tool("pg_dump", Database.at("postgresql://h/x"))


@pytest.mark.e2e
def test_a_dump_is_of_the_moment_of_its_list(
    server: postgres.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes between the reading of the list and the dump."""
    database = Database.at(server.create())
    migrations.migrate(database)
    fill(database, "a", "b")
    original = snapshot.tool

    def late(name: str, *further: Any) -> None:
        fill(database, "late", "not in the list")
        original(name, *further)

    monkeypatch.setattr(snapshot, "tool", late)
    copy = backup.save(database, tmp_path / "backups")
    monkeypatch.undo()
    assert backup.verify(copy, database).rows["threads"] == 1


# SQLite keeps every text but half pairs of UTF-16.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(threads=st.lists(st.lists(TEXTS, max_size=4), max_size=5))
def test_a_backup_while_others_write_is_of_one_moment(threads: list[list[str]]) -> None:
    """Each thread is written with its two messages at once, so that none may be in the copy without them."""
    with tempfile.TemporaryDirectory() as place:
        database = Database.at(Path(place, "threads.db"))
        migrations.migrate(database)
        for number, messages in enumerate(threads):
            fill(database, f"t{number}", *messages)
        done = threading.Event()
        wrote: list[int] = []

        def write() -> None:
            while not done.is_set():
                fill(database, f"w{len(wrote)}", "question", "answer")
                wrote.append(1)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while not wrote:
                time.sleep(0.001)
            copy = backup.save(database, Path(place, "backups"))
        finally:
            done.set()
            writer.join()
        contents = backup.verify(copy, database)
        count = contents.rows["threads"] - len(threads)
        assert contents.messages == 2 * count + sum(map(len, threads))
        assert 1 <= count <= len(wrote)
        before = everything(Database.at(copy))
        backup.restore(copy, database)
        assert everything(database) == before


# The app and the backups.


@pytest.fixture
def layer(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[store.Threads]:
    """The app's data layer, outside of a chat."""
    monkeypatch.setattr("chainlit.data.utils.context", SimpleNamespace(session=None))
    data = threads.open_threads(database.file or database.address)
    yield data
    data.let_go()


def step(thread: str, number: int, output: str) -> Any:
    """A message as Chainlit hands it over."""
    kind = "assistant_message" if number % 2 else "user_message"
    given = {"id": f"{thread}-{number}", "threadId": thread, "name": "n", "type": kind, "output": output}
    return given | {"streaming": False, "isError": False, "metadata": {"n": number}, "createdAt": f"2026-01-0{number}"}


def test_what_the_app_does_with_threads(layer: store.Threads, database: Database) -> None:
    """List, pages, search, resume, feedback, a checkpoint, deletion: the same on both databases."""

    async def scenario() -> None:
        user = await layer.create_user(cl.User("anna"))
        assert user
        store.acting_user.set("anna")
        for number in range(3):
            thread = f"t{number}"
            await layer.update_thread(thread, name=f"Thread {number}", user_id=user.id, metadata={"a": number})
            for place in (1, 2):
                await layer.create_step(step(thread, place, f"words {number} {place}"))
        filters = chainlit.types.ThreadFilter(userId=user.id)
        page = await layer.list_threads(chainlit.types.Pagination(first=2), filters)
        assert (len(page.data), page.pageInfo.hasNextPage) == (2, True)
        found = await layer.list_threads(
            chainlit.types.Pagination(first=9), chainlit.types.ThreadFilter(userId=user.id, search="WORDS 1")
        )
        assert [each["name"] for each in found.data] == ["Thread 1"]

        message: Any = SimpleNamespace(to_dict=lambda: step("t1", 2, "half an ans\0wer \ud800"))
        checkpoint = store.Checkpoint(layer, message, every=0)
        checkpoint.touch()
        await checkpoint.settle()
        await layer.upsert_feedback(chainlit.types.Feedback(forId="t1-2", threadId="t1", value=1, comment="good"))
        thread_1 = await layer.get_thread("t1")
        assert thread_1
        assert [each["output"] for each in thread_1["steps"]] == ["words 1 1", "half an ans\ufffdwer \ufffd"]
        thumb = thread_1["steps"][1]["feedback"]
        assert thumb
        assert (thumb["forId"], thumb["value"], thumb["comment"]) == ("t1-2", 1, "good")
        assert await layer.get_thread_author("t1") == "anna"
        await layer.delete_step("t2-2")
        await layer.delete_thread("t1")
        assert await layer.get_thread("t1") is None
        left = await layer.list_threads(chainlit.types.Pagination(first=9), filters)
        assert sorted(len(each["steps"]) for each in left.data) == [1, 2]
        await layer.close()

    asyncio.run(scenario())
    assert run(database, "SELECT COUNT(*) FROM feedbacks") == [(0,)]


def test_a_passing_note_is_not_kept(layer: store.Threads, database: Database) -> None:
    """In no order of its writes: Chainlit keeps those before a user's first message, and loses their order."""

    async def scenario() -> None:
        anna = await layer.create_user(cl.User("anna"))
        assert anna
        store.acting_user.set("anna")
        await layer.update_thread("hers", user_id=anna.id)
        note = step("hers", 1, "place 2") | {"metadata": PASSING}
        await layer.create_step(note)
        await layer.create_step(step("hers", 2, "a question"))
        await layer.delete_step("hers-1")
        await layer.update_step(note)
        await layer.close()

    asyncio.run(scenario())
    assert run(database, "SELECT output FROM steps") == [("a question",)]


def test_an_id_with_sql_in_it_is_refused(layer: store.Threads) -> None:
    """The page chooses the ids, and Chainlit writes them into a statement when it lists threads."""

    async def scenario() -> None:
        anna, bo = await layer.create_user(cl.User("anna")), await layer.create_user(cl.User("bo"))
        assert anna
        assert bo
        store.acting_user.set("anna")
        await layer.update_thread("hers", user_id=anna.id)
        await layer.create_step(step("hers", 1, "a secret"))
        store.acting_user.set("bo")
        for thread in ("x') OR ('1' = '1", "a:b", "", "x" * 200):
            with pytest.raises(StoreError, match="not the id of a thread"):
                await layer.update_thread(thread, user_id=bo.id)
            with pytest.raises(StoreError, match="not the id of a thread"):
                await layer.create_step(step(thread, 1, "his"))
        page = await layer.list_threads(chainlit.types.Pagination(first=9), chainlit.types.ThreadFilter(userId=bo.id))
        assert page.data == []
        await layer.close()

    asyncio.run(scenario())


def test_no_message_without_its_thread(
    layer: store.Threads, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that is written while its thread is deleted must not outlive it, nor come into the log."""

    async def scenario() -> None:
        query = """INSERT INTO steps (id, name, type, "threadId", streaming, output)
            VALUES ('s', 'n', 'x', 'gone', FALSE, :output)"""
        assert await layer.execute_sql(query, {"output": SECRET}) is None
        await layer.close()

    asyncio.run(scenario())
    assert run(database, "SELECT COUNT(*) FROM steps") == [(0,)]
    assert "An error occurred" in caplog.text
    assert SECRET not in caplog.text


def test_no_restore_while_the_app_has_the_database(layer: store.Threads, database: Database, tmp_path: Path) -> None:
    fill(database, "a", "b")
    copy = backup.save(database, tmp_path / "backups")
    before = everything(database)

    async def scenario() -> None:
        assert await layer.get_thread("a")
        answer = await asyncio.to_thread(ran, database, "--restore", str(copy))
        assert answer.returncode == 1
        assert f"{database} is in use" in answer.stderr
        assert "end the app" in answer.stderr
        await layer.close()

    asyncio.run(scenario())
    assert everything(database) == before
    answer = ran(database, "--restore", str(copy))
    assert answer.returncode == 0, answer.stderr
    assert everything(database) == before


def test_no_restore_while_the_chat_of_notebook_04_has_the_file(tmp_path: Path) -> None:
    """What it writes afterwards would go into the file that was put aside."""
    database = Database.at(tmp_path / "threads.db")
    migrations.migrate(database)
    copy = backup.save(database, tmp_path / "backups")
    data = store.open_file(tmp_path / "threads.db")
    refused = ran(database, "--restore", str(copy))
    assert (refused.returncode, f"{database} is in use" in refused.stderr) == (1, True)
    asyncio.run(data.close())
    assert ran(database, "--restore", str(copy)).returncode == 0


def test_another_program_that_reads_the_file_is_in_the_way_too(tmp_path: Path) -> None:
    database = Database.at(tmp_path / "threads.db")
    migrations.migrate(database)
    copy = backup.save(database, tmp_path / "backups")
    with contextlib.closing(sqlite3.connect(tmp_path / "threads.db")) as reader:
        reader.execute("SELECT * FROM threads").fetchall()
        with pytest.raises(StoreError, match="is in use"):
            backup.restore(copy, database)
    assert not list(tmp_path.glob("*replaced*"))


def test_a_writer_that_was_killed_lets_go_and_loses_nothing(tmp_path: Path) -> None:
    """Its lock goes with it, and what it had committed stands in the log and comes into the kept file."""
    database = Database.at(tmp_path / "threads.db")
    migrations.migrate(database)
    copy = backup.save(database, tmp_path / "backups")
    code = """
import sqlite3, sys, time
from pathlib import Path
from apps.chat.schema import in_use
held = in_use(Path(sys.argv[1]))
held.acquire_read()
database = sqlite3.connect(sys.argv[1])
database.execute("INSERT INTO threads (id) VALUES ('committed')")
database.commit()
print("here", flush=True)
time.sleep(600)
"""
    command = [sys.executable, "-c", code, str(database.file)]
    with subprocess.Popen(command, env=told(database), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        assert ran(database, "--restore", str(copy)).returncode == 1
        process.kill()
    kept = backup.restore(copy, database).kept
    assert kept
    assert run(database, "SELECT id FROM threads") == []
    assert run(Database.at(Path(kept)), "SELECT id FROM threads") == [("committed",)]


@pytest.mark.e2e
def test_the_command(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    migrations.migrate(database)
    fill(database, "a", "one", "two")
    before = everything(database)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))

    def command(*arguments: str) -> list[str]:
        line = [sys.executable, "-m", "coursekit", "backup", *arguments]
        done = subprocess.run(
            line, cwd=ROOT, env=told(database), capture_output=True, text=True, timeout=120, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    path, said = command()
    assert Path(path).parent == tmp_path / "cache" / "chat" / "backups"
    assert said.startswith("1 threads, 2 messages, 0.")
    assert said.endswith(" MB, checked by restoring it")
    assert command("--check", path) == [path, said]
    fill(database, "b", "three")
    assert f"restored to {database}; what was there before is " in command("--restore", path)[1]
    assert everything(database) == before
    Path(path).write_bytes(b"")
    done = ran(database, "--check", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"lab.py: {path} {'is not what was saved' if database.file else 'cannot be restored'}"
    )


def test_an_app_waits_for_a_restore_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY", 0.2)
    code = """
import sys
from pathlib import Path
from apps.chat.schema import in_use
with in_use(Path(sys.argv[1])).write_lock():
    print("here", flush=True)
    sys.stdin.readline()
"""
    file = tmp_path / "threads.db"
    command = [sys.executable, "-c", code, str(file)]
    environ = told(Database.at(file))
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        with pytest.raises(StoreError, match="being restored"):
            threads.open_threads(file)
    assert not file.exists()


@pytest.mark.e2e
def test_a_server_that_was_started_again_loses_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections of before are cut, and the next write must not go to one of them."""
    if not postgres.find():
        pytest.skip("PostgreSQL is not here: apt-get install postgresql")
    monkeypatch.setattr("chainlit.data.utils.context", SimpleNamespace(session=None))
    with postgres.serving() as server:
        database = Database.at(server.create())

        async def scenario() -> None:
            data = threads.open_threads(database.address)
            await data.create_user(cl.User("anna"))
            store.acting_user.set("anna")
            await data.create_step(step("t", 1, "before"))
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await data.create_step(step("t", 2, "after"))
            await data.close()

        asyncio.run(scenario())
        assert run(database, 'SELECT output FROM steps ORDER BY "createdAt"') == [("before",), ("after",)]


@pytest.mark.e2e
def test_the_whole_app_on_postgresql(server: postgres.Server, tmp_path: Path) -> None:
    """A chat, a restore that is refused, a restart, and the thread is there; nothing of it is in a file."""
    address = server.create()
    with MockEndpoint(faults.QUICK) as mock:
        thread = ""

        async def first(app: faults.App) -> str:
            async with faults.visit(app) as page:
                assert await page.ask("Who goes there?")
                return page.thread

        async def second(app: faults.App) -> None:
            async with faults.visit(app, thread=thread) as page:
                await page.until(lambda: page.resumed, 30)
                outputs = [each["output"] for each in page.resumed[0]["steps"] if "message" in each["type"]]
                assert outputs[0] == "Who goes there?"
                assert outputs[1]

        with faults.running(tmp_path, mock.base_url, DATABASE_URL=address) as app:
            thread = asyncio.run(first(app))
            copy = backup.save(Database.at(address), tmp_path / "backups")
            with pytest.raises(StoreError, match="is in use"):
                backup.restore(copy, Database.at(address))
            log = app.log
        rows = server.sql(address, f"SELECT type, output FROM steps WHERE \"threadId\" = '{thread}'")
        assert "user_message|Who goes there?" in rows
        assert backup.restore(copy, Database.at(address)).kept
        with faults.running(tmp_path, mock.base_url, DATABASE_URL=address) as app:
            asyncio.run(second(app))
        assert not list(app.cache.rglob("threads.db"))
        for written in (log, app.log):
            assert server.password not in written.read_text()
            assert "error occurred" not in written.read_text()


@pytest.mark.e2e
def test_the_app_does_not_start_on_a_database_that_is_not_there(tmp_path: Path, closed_port: int) -> None:
    environ = faults.environment(
        tmp_path, "http://127.0.0.1:1/v1", DATABASE_URL=f"postgresql://a:{SECRET}@127.0.0.1:{closed_port}/x"
    )
    code = faults.copy(tmp_path / "chat")
    command = [sys.executable, "-m", "chainlit", "run", str(faults.TARGET), "--headless"]
    environ |= {"CHAINLIT_APP_ROOT": str(code)}
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode != 0
    assert "chat: the database x on 127.0.0.1" in done.stderr
    assert SECRET not in done.stdout + done.stderr
