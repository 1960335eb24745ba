"""Inserting in a transaction of the caller's, on the caller's own connection to the file."""

import os
from collections.abc import Callable, Sequence

from active_workflow.core.snapshot import Execution
from active_workflow.errors import ConfigurationError, StoreUnavailable
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.fetched import Fetched
from active_workflow.store.joining.caller import Joined
from active_workflow.store.joining.script import Script, Statement, whole_or_nothing
from active_workflow.store.keys import held_by, settle_keys
from active_workflow.store.plans import Plans
from active_workflow.store.sqlite import inserting, loading
from active_workflow.store.sqlite.sql import SQL, as_json


class SqliteScripts:
    """The scripts of one store.

    Args:
        path: The store's file.
        plans: What is known of plans.
        now: Gives the time.
    """

    def __init__(self, path: str, plans: Plans, now: Callable[[], int]) -> None:
        self._path = path
        self._plans = plans
        self._now = now

    def insert(
        self, caller: Joined, new: Sequence[NewExecution], *, skip_conflicts: bool
    ) -> Script[Sequence[Inserted]]:
        """Check that it is the store's file, then insert what is new and holds its key."""
        yield from self._check(caller)
        begin = caller.begin()
        if begin is not None:
            yield Statement(begin)
        try:
            answers, accepted = yield from whole_or_nothing(self._insert(new, skip_conflicts=skip_conflicts))
        except Exception:
            yield from _ended(begin)
            raise
        if not accepted:
            yield from _ended(begin)
        return answers

    def _check(self, caller: Joined) -> Script[None]:
        if caller.vendor != "sqlite":
            raise ConfigurationError(
                f"connection= is one to {caller.vendor}, and executions are kept in the SQLite file "
                f"{self._path}: a start can join transactions of the same database only"
            )
        rows = yield Statement("PRAGMA database_list")
        files = {name: os.path.realpath(file) for _, name, file in rows if file}
        if files.get("main") != self._path:
            opened = files.get("main", "no file (it is in memory)")
            raise ConfigurationError(
                f"connection= has opened {opened}, and executions are kept in {self._path}: open that file, "
                f"or give the engine the other one as its store"
            )

    def _insert(
        self, new: Sequence[NewExecution], *, skip_conflicts: bool
    ) -> Script[tuple[Sequence[Inserted], Sequence[NewExecution]]]:
        """Insert, and tell what. A write comes first, so that what is read after it is what there is."""
        try:
            yield Statement(SQL["take_lock"])
        except Exception as error:
            if _came_too_late(error):
                raise StoreUnavailable(
                    f"{self._path}: others have written since this transaction began to read, so it can't "
                    "write any more: roll it back, and begin it with BEGIN IMMEDIATE"
                ) from error
            raise
        keys = {item.execution.key for item in new if item.execution.key is not None}
        held = held_by((yield Statement(SQL["holders"], [as_json(keys)])) if keys else ())
        answers, accepted = settle_keys(new, held, (), skip_conflicts=skip_conflicts)
        for statement, rows in inserting.writes(accepted, self._plans, self._now()):
            if rows:
                yield Statement(statement, repeats=rows)
        return answers, accepted

    def load(self, ids: Sequence[str]) -> Script[Sequence[Execution]]:
        """Load executions, those of the transaction itself too."""
        wanted = as_json(ids)
        fetched = Fetched({row[0]: row for row in (yield Statement(SQL["load"], [wanted]))})
        steps = yield Statement(SQL["load_steps"], [wanted])
        signals = yield Statement(SQL["load_signals"], [wanted])
        unknown = sorted({digest for digest in fetched.plans() if self._plans.get(digest) is None})
        if unknown:
            bodies = yield Statement(SQL["load_plans"], [as_json(unknown)])
            self._plans.learn(unknown, lambda _: [(digest, body) for digest, body in bodies])
        fetched.steps, fetched.signals = loading.grouped(steps), loading.grouped(signals, first=1)
        return fetched.read(ids, self._plans)


def _ended(begin: str | None) -> Script[None]:
    """End a transaction that was begun here, for nothing is in it: it must not hold others up."""
    if begin is not None:
        yield Statement("ROLLBACK")


def _came_too_late(error: Exception) -> bool:
    """Tell whether a reading transaction may not write, in whatever errors the driver's own is wrapped."""
    chain = (error, getattr(error, "orig", None), error.__cause__)
    return any(getattr(one, "sqlite_errorname", "") == "SQLITE_BUSY_SNAPSHOT" for one in chain)
