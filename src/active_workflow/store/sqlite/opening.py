"""Whether a file can be opened at all, and whether it still is the one that was."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from active_workflow.errors import ConfigurationError


def code_of(error: sqlite3.Error) -> int:
    """Give the primary result code: the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def identity(path: str) -> tuple[int, int] | None:
    """Tell one file from another of the same name (None: there is none); that costs a microsecond."""
    try:
        found = os.stat(path)  # noqa: PTH116 - at each call of the store: no Path is made
    except OSError:
        return None
    return (found.st_dev, found.st_ino)


_CLOSED = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Raise ConfigurationError where a file can't be opened for a reason that no waiting ends."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        problem = _why_closed(Path(path)) if code_of(error) in _CLOSED else ""
        if problem:
            raise ConfigurationError(f"the store {path} can't be opened: {problem}") from error
        raise


def _why_closed(path: Path) -> str:
    """Say what is wrong with a file that can't be opened; nothing where that doesn't show."""
    folder = path.parent
    if path.is_dir():
        return "it is a folder; name a file in it"
    if not folder.exists():
        return f"the folder {folder} does not exist; make it, or name another"
    if not (path.exists() and os.access(folder, os.W_OK)):
        return f"the folder {folder} can't be written to; let this user write there, or name another"
    if not os.access(path, os.R_OK | os.W_OK):
        return "this user may not read and write it; change its permissions, or name another"
    return ""
