"""Connections to one SQLite file: one that writes, some that read, none of them after a fork.

Writers of one process take turns at a lock of ours: SQLite's own way of waiting is to sleep and try again.
Only writers of other processes meet in its busy handler.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from active_workflow.errors import (
    ConfigurationError,
    MisuseError,
    SchemaError,
    StoreError,
    StoreUnavailable,
    UnknownCommit,
)
from active_workflow.store.sqlite.opening import code_of, explained, identity
from active_workflow.store.sqlite.turns import Turns

OLDEST = (3, 38, 0)
KEPT_READERS = 4
_SECONDS_BETWEEN_TRIES = 0.01

_locks: dict[tuple[int, str], Turns] = {}
_locks_guard = threading.Lock()
_fork_guard = threading.Lock()
_inherited: list[object] = []
"""Connections of a parent process: closing one here would take the parent's locks from it."""


def _lock_for(path: str) -> Turns:
    """Give the lock of all writers of this process to one file, whichever store they belong to."""
    with _locks_guard:
        return _locks.setdefault((os.getpid(), path), Turns())


def _new_guards_after_fork() -> None:
    """Make new ones: a thread that the child doesn't have may have held them."""
    global _locks_guard, _fork_guard
    _locks_guard, _fork_guard = threading.Lock(), threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_guards_after_fork)


_IN_A_STEP = (
    "{path}: a transactional step runs here, and its transaction keeps everybody from writing to the file, "
    "this call included: make it after the step. (A start joins the transaction, if the store is the step's.)"
)


class Connections:
    """The connections of one store in one process.

    Args:
        path: The file.
        timeout: Seconds to wait for a writer of another process.
        prepare: Called with the first writing connection, before anything else is done with it.
    """

    def __init__(self, path: str, timeout: float, prepare: Callable[[sqlite3.Connection], None]) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old, this library needs 3.38 or newer: "
                f"use a newer Python or another store"
            )
        self.path = path
        self.timeout = timeout
        self._prepare = prepare
        self._begin()

    def _begin(self) -> None:
        self.turns = _lock_for(self.path)
        self._writer: sqlite3.Connection | None = None
        self._readers: list[sqlite3.Connection] = []
        self._file: tuple[int, int] | None = None
        self._pid = os.getpid()

    def _check_fork(self) -> None:
        """Leave a parent's connections alone: in a forked child they must be neither used nor closed."""
        if self._pid == os.getpid():
            return
        with _fork_guard:
            if self._pid != os.getpid():
                _inherited.extend((self._writer, self._readers))
                self._begin()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the writing connection inside a transaction; it commits at the end, or writes nothing."""
        self._check_fork()
        if self.turns.is_steps_own:
            raise MisuseError(_IN_A_STEP.format(path=self.path))
        with self.turns, translated(self.path):
            writer = self._ready()
            self._check_file()
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                commit(writer, self.path)
            finally:
                if writer.in_transaction:
                    writer.rollback()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a reading connection; all it reads is as of one moment."""
        with self.glance() as reader:
            reader.execute("BEGIN")
            yield reader

    @contextmanager
    def glance(self) -> Iterator[sqlite3.Connection]:
        """Give a reading connection for a single statement, which needs no transaction around it."""
        self._check_fork()
        with translated(self.path):
            if self._writer is None:
                with self.turns:
                    self._ready()
            self._check_file()
            reader = self._take_reader()
            try:
                yield reader
            finally:
                if reader.in_transaction:
                    reader.rollback()
                self._give_back(reader)

    def ready(self) -> None:
        """Open the file, and make or check its tables."""
        self._check_fork()
        with self.turns, translated(self.path):
            self._ready()

    def data_version(self) -> int:
        """Give a number that changes with every commit of anyone but this store's writing connection."""
        self._check_fork()
        with self.turns, translated(self.path):
            version: int = self._ready().execute("PRAGMA data_version").fetchone()[0]
            return version

    def _ready(self) -> sqlite3.Connection:
        if self._writer is None:
            with explained(self.path):
                writer = self._open()
            try:
                with explained(self.path):
                    self._until_free(lambda: _use_wal(writer, self.path))
                writer.execute("PRAGMA synchronous=FULL")
                self._prepare(writer)
            except BaseException:
                writer.close()
                raise
            self._file = identity(self.path)
            self._writer = writer
        return self._writer

    def _check_file(self) -> None:
        """Refuse to go on with a file that has no name any more: what is written into it is lost."""
        if self._file != identity(self.path):
            raise StoreError(
                f"{self.path} was removed or replaced while it was open: what is written now is in no file; "
                "put it back, and start this process anew"
            )

    def _until_free(self, act: Callable[[], None]) -> None:
        """Try until nobody is in the way: changing the journal mode doesn't wait by itself."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                return act()
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_SECONDS_BETWEEN_TRIES)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self.path,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _take_reader(self) -> sqlite3.Connection:
        try:
            return self._readers.pop()
        except IndexError:
            reader = self._open()
            reader.execute("PRAGMA query_only=ON")
            return reader

    def _give_back(self, reader: sqlite3.Connection) -> None:
        if len(self._readers) < KEPT_READERS:
            self._readers.append(reader)
        else:
            reader.close()

    def close(self) -> None:
        """Close all connections that aren't in use; the next call opens new ones."""
        self._check_fork()
        with self.turns:
            writer, self._writer = self._writer, None
            readers, self._readers = self._readers, []
            for connection in (writer, *readers):
                if connection is not None:
                    connection.close()


def _use_wal(connection: sqlite3.Connection, path: str) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise ConfigurationError(
            f"{path} can't be used in WAL mode (SQLite answers {mode!r}): put it on a local disk"
        )


def commit(connection: sqlite3.Connection, path: str) -> None:
    """Commit. Where the disk fails at that very moment nobody knows whether it landed."""
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if code_of(error) == sqlite3.SQLITE_IOERR:
            raise UnknownCommit(f"{path}: the disk failed during a commit ({error}); read again") from error
        raise


# --- Errors -----------------------------------------------------------------------------------------

_REMEDIES = {
    sqlite3.SQLITE_BUSY: "another process holds it for long: look for a long transaction there",
    sqlite3.SQLITE_LOCKED: "another connection holds it for long",
    sqlite3.SQLITE_FULL: "the disk is full: make room, then everything goes on by itself",
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_CANTOPEN: "check that its folder exists and may be written to",
    sqlite3.SQLITE_READONLY: "it may not be written to: check the file's and the folder's permissions",
    sqlite3.SQLITE_NOMEM: "memory is used up",
    sqlite3.SQLITE_INTERRUPT: "the call was interrupted",
    sqlite3.SQLITE_PROTOCOL: "its locks can't be taken; is it on a network disk?",
}


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether somebody else was in the way."""
    return code_of(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


DATA_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    UnicodeEncodeError,
    OverflowError,
)
"""What SQLite and its module raise for data that they will never take."""


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise SQLite's errors as the store's own, but for those about data: their callers deal with them."""
    try:
        yield
    except DATA_ERRORS:
        raise
    except sqlite3.DatabaseError as error:
        raise _translate(error, path) from error


def _translate(error: sqlite3.DatabaseError, path: str) -> StoreError:
    code = code_of(error)
    if code in _REMEDIES:
        return StoreUnavailable(f"{path}: {error}: {_REMEDIES[code]}")
    if "no such table" in str(error):
        return SchemaError(f"{path}: {error}: its tables were removed while it was open; open the store anew")
    return StoreError(f"{path}: {error} (`PRAGMA integrity_check` tells if it is whole)")
