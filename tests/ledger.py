"""What steps really did, in a file of its own: every verdict about repeats and order is read from here.

Each line is appended by one ``write`` and synced before the step goes on, so a killed process leaves what it
had done and nothing else, and the lines of all processes stand in the order in which things happened.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One line.

    Attributes:
        execution: The execution's id.
        step: The step's name.
        attempt: Which attempt, as its ctx said.
        pid: The process that ran it.
        phase: ``begin``, ``end``, ``undo-begin`` or ``undo-end``.
        seen: What ctx said of the step before.
    """

    execution: str
    step: str
    attempt: int
    pid: int
    phase: str
    seen: Any = None


class Ledger:
    """An append-only file that outlives whoever writes to it.

    Args:
        path: Of the file.
        durable: Whether each line is synced: needless where processes end by themselves.
    """

    def __init__(self, path: Path | str, *, durable: bool = True) -> None:
        self._path = os.fspath(path)
        self._durable = durable

    def write(self, execution: str, step: str, attempt: int, phase: str, seen: Any = None) -> None:
        line = json.dumps([execution, step, attempt, os.getpid(), phase, seen]) + "\n"
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
            if self._durable:
                os.fsync(file)
        finally:
            os.close(file)

    def entries(self) -> Iterator[Entry]:
        """Give the lines in order."""
        return self.entries_from(0)[0]

    def entries_from(self, offset: int) -> tuple[Iterator[Entry], int]:
        """Give the lines that were added after an offset, and the offset to go on from."""
        try:
            with Path(self._path).open("rb") as file:
                file.seek(offset)
                text = file.read()
        except FileNotFoundError:
            return iter(()), offset
        whole = text[: text.rfind(b"\n") + 1]
        entries = [Entry(*json.loads(line)) for line in whole.splitlines()]
        return iter(entries), offset + len(whole)


class Open:
    """Which processes are inside a step, as far as the ledger has been read."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._offset = 0
        self._inside: dict[int, set[tuple[str, str, int, bool]]] = {}

    def look(self) -> None:
        """Read what was added."""
        entries, self._offset = self._ledger.entries_from(self._offset)
        for entry in entries:
            inside = self._inside.setdefault(entry.pid, set())
            what = (entry.execution, entry.step, entry.attempt, entry.phase.startswith("undo"))
            if entry.phase.endswith("begin"):
                inside.add(what)
            else:
                inside.discard(what)

    def inside(self, pid: int) -> bool:
        """Tell whether a process has begun a step and not ended it."""
        return bool(self._inside.get(pid))
