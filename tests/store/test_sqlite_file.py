"""What SQLite alone has: a file, other processes, a fork, a full disk."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from active_workflow.errors import ConfigurationError, SchemaError, StoreError, StoreUnavailable
from active_workflow.store.base import ClaimRequest, NewExecution
from active_workflow.store.sqlite import connection as connections
from active_workflow.store.sqlite.store import SqliteStore
from active_workflow.testing.store_contract.builders import execution, outside, signalled

HOUR = 3_600_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


def insert(store: SqliteStore, *ids: str) -> None:
    store.insert([NewExecution(execution(id), due_at=0) for id in ids])


def sql(path: Path, statement: str, *parameters: object) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(statement, parameters).fetchall()
    finally:
        connection.close()


# --- The file -------------------------------------------------------------------------------------------


def test_the_file_prepares_itself_and_is_fully_durable(store: SqliteStore, path: Path) -> None:
    insert(store, "x1")
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]
    with store._db.write() as writer:
        assert writer.execute("PRAGMA synchronous").fetchone() == (2,)
    assert sql(path, "SELECT version FROM aw_migrations") == [(1,)]


def test_preparing_again_changes_nothing(store: SqliteStore, path: Path) -> None:
    insert(store, "x1")
    SqliteStore(path).prepare()
    assert sql(path, "SELECT count(*) FROM aw_executions") == [(1,)]


def test_a_newer_schema_is_refused(store: SqliteStore, path: Path) -> None:
    store.prepare()
    store.close()
    sql(path, "INSERT INTO aw_migrations (version, name) VALUES (999, 'later')")
    with pytest.raises(SchemaError, match=r"version 999.*upgrade"):
        store.prepare()
    with pytest.raises(SchemaError):
        store.load(["x1"])


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"the folder .*/missing does not exist; make it"):
        SqliteStore(tmp_path / "missing" / "store.db").prepare()
    with pytest.raises(ConfigurationError, match="it is a folder; name a file in it"):
        SqliteStore(tmp_path).prepare()


@pytest.mark.skipif(not Path("/proc").exists(), reason="no folder here that not even root may write to")
def test_a_folder_that_may_not_be_written_to_is_named() -> None:
    with pytest.raises(ConfigurationError, match="the folder /proc can't be written to; let this user write"):
        SqliteStore("/proc/store.db").prepare()


def test_a_file_that_is_removed_while_open_is_missed(store: SqliteStore, path: Path) -> None:
    insert(store, "x1")
    for file in path.parent.glob("store.db*"):
        file.unlink()
    for call in (lambda: insert(store, "x2"), lambda: store.load(["x1"]), lambda: store.states(["x1"])):
        with pytest.raises(StoreError, match="was removed or replaced while it was open"):
            call()
    SqliteStore(path).prepare()
    with pytest.raises(StoreError, match="was removed or replaced while it was open"):
        store.load(["x1"])
    store.close()
    assert store.load(["x1"]) == []


def test_a_file_that_is_no_database_is_named(path: Path) -> None:
    path.write_text("this is no database, and it is long enough to be read as one" * 100)
    with pytest.raises(StoreError, match=r"store\.db.*not a database"):
        SqliteStore(path).prepare()


def test_tables_that_vanish_are_told(store: SqliteStore, path: Path) -> None:
    store.prepare()
    sql(path, "DROP TABLE aw_executions")
    with pytest.raises(SchemaError, match="aw_executions"):
        store.load(["x1"])


def test_memory_is_no_file() -> None:
    with pytest.raises(ConfigurationError, match="memory://"):
        SqliteStore(":memory:")


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    with pytest.raises(ConfigurationError, match=r"3\.38"):
        SqliteStore(path)


def test_a_full_disk_writes_nothing_and_heals(store: SqliteStore) -> None:
    insert(store, "x1")
    with store._db.write() as writer:
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count={pages + 2}")
    big = [NewExecution(execution(f"y{n}", input={"a": '"' + "x" * 50_000 + '"'})) for n in range(9)]
    with pytest.raises(StoreUnavailable, match="disk is full"):
        store.insert(big)
    assert list(store.load(["y0"])) == []
    assert [it.id for it in store.load(["x1"])] == ["x1"]
    writer.execute("PRAGMA max_page_count=1000000")
    store.insert(big)
    assert len(store.load([f"y{n}" for n in range(9)])) == 9


def test_a_file_that_others_hold_is_told(path: Path) -> None:
    store = SqliteStore(path, timeout=0)
    insert(store, "x1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="another process"):
        insert(store, "x2")
    assert [it.id for it in store.load(["x1", "x2"])] == ["x1"]  # reading goes on meanwhile
    other.execute("ROLLBACK")
    other.close()
    insert(store, "x2")
    store.close()


def test_rows_of_a_later_format_are_left_to_those_who_know_it(store: SqliteStore, path: Path) -> None:
    insert(store, "x1", "x2")
    sql(path, "UPDATE aw_executions SET format = 99 WHERE id = 'x1'")
    answer = store.claim(ClaimRequest("w1", 10, HOUR))
    assert [it.id for it in answer.executions] == ["x2"]
    with pytest.raises(StoreError, match=r"later version.*upgrade"):
        store.load(["x1"])


def test_a_lost_plan_is_told(store: SqliteStore, path: Path) -> None:
    insert(store, "x1")
    sql(path, "DELETE FROM aw_plans")
    with pytest.raises(StoreError, match=r"execution x1.*plan"):
        SqliteStore(path).load(["x1"])


def test_the_law_is_guarded_by_the_tables(store: SqliteStore, path: Path) -> None:
    insert(store, "x1")
    for bad in (
        "state = 'dreaming'",
        "state = 'completed'",
        "completed_at = 5",
        "lease_owner = 'w1'",
        "revision = NULL",
        "seq = 'many'",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            sql(path, f"UPDATE aw_executions SET {bad}")


def test_a_claim_reads_its_index(store: SqliteStore) -> None:
    """Its cost must follow the backlog, never the history."""
    from active_workflow.store.sqlite.leasing import filters  # noqa: PLC0415
    from active_workflow.store.sqlite.sql import SQL  # noqa: PLC0415

    with store._db.read() as reader:
        for name in ("due", "next_due"):
            values = {**filters(ClaimRequest("w", 1, 1)), "now": 1, "limit": 1}
            plan = " | ".join(row[3] for row in reader.execute(f"EXPLAIN QUERY PLAN {SQL[name]}", values))
            assert "aw_executions_due" in plan, plan
            assert "aw_executions_lease" in plan, plan
            assert "TEMP B-TREE" not in plan, plan
            assert "SCAN aw_executions" not in plan.replace("SCAN aw_executions USING", ""), plan


# --- Other processes ------------------------------------------------------------------------------------

CHILD = """
import sys
from active_workflow.store.base import ClaimRequest, NewExecution
from active_workflow.store.sqlite.store import SqliteStore
from active_workflow.testing.store_contract.builders import execution
store = SqliteStore(sys.argv[1])
name = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
store.insert([NewExecution(execution(f"{name}{n:03}", key=f"k{n}"), due_at=0) for n in range(100)])
got = []
while found := store.claim(ClaimRequest(name, 3, 3_600_000_000)).executions:
    got += [it.id for it in found]
print(*got, flush=True)
store.close()
"""


def child(path: Path, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_prepare_insert_and_claim_side_by_side(path: Path) -> None:
    """All of them come to a file that isn't there yet; each key gets one holder, each row one owner."""
    children = [child(path, name) for name in "abc"]
    for each in children:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in children:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    shares = [each.communicate(timeout=60)[0].split() for each in children]
    assert [each.returncode for each in children] == [0, 0, 0]
    everything = sorted(id for share in shares for id in share)
    assert len(everything) == len(set(everything)) == 100
    assert sorted(id[1:] for id in everything) == [f"{n:03}" for n in range(100)]


def test_another_process_is_heard(store: SqliteStore, path: Path) -> None:
    store.prepare()
    told = threading.Event()
    stop = store.listen(told.set)
    assert stop is not None
    insert(store, "x1")  # our own change gives no hint; the other's does
    with child(path, "z") as other:
        other.communicate("go\n", timeout=60)
    assert told.wait(20)
    stop()


def test_own_changes_give_no_hint(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Semaphore(0)
    told: list[bool] = []
    version = store._db.data_version

    def counted() -> int:
        found = version()
        asked.release()
        return found

    monkeypatch.setattr(store._db, "data_version", counted)
    stop = store.listen(lambda: told.append(True))
    assert stop is not None
    assert asked.acquire(timeout=20)  # the first look
    insert(store, "x1")
    assert asked.acquire(timeout=20)  # the file changed, and the watcher found out by whom
    stop()
    assert told == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_connections_alone(store: SqliteStore) -> None:
    insert(store, "x1")
    [it] = store.load(["x1"])
    writer = store._db._writer
    lock = connections._lock_for(store.path)
    with lock:  # a thread of the parent may hold it at the very moment of the fork
        pid = os.fork()
        if pid == 0:  # pragma: no cover - in the child
            status = 1
            try:
                store.commit([outside(it, signalled(it))])
                fresh = store._db._writer is not writer
                status = 0 if fresh and store.load(["x1"])[0].signal_count == 1 else 2
                store.close()
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store._db._writer is writer
    assert store.load(["x1"])[0].signal_count == 1
    insert(store, "x2")
    assert sql(Path(store.path), "PRAGMA integrity_check") == [("ok",)]


def test_threads_share_one_store(store: SqliteStore) -> None:
    barrier = threading.Barrier(8)

    def work(name: str) -> None:
        barrier.wait()
        for n in range(10):
            insert(store, f"{name}{n}")
            assert store.load([f"{name}{n}"])

    threads = [threading.Thread(target=work, args=(f"t{n}-",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.states([f"t{n}-{m}" for n in range(8) for m in range(10)])) == 80
    assert len(store._db._readers) <= connections.KEPT_READERS
