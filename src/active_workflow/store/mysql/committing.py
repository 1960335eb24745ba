"""Committing a batch of changes: one message and one commit, unless a guard lets one of them not pass."""

from collections.abc import Callable, Mapping, Sequence

import pymysql  # type: ignore[import-untyped]

from active_workflow.core.change import Change
from active_workflow.store.base import Heartbeat
from active_workflow.store.batches import BatchCommitter
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.database import Database
from active_workflow.store.mysql.failures import OUT_OF_RANGE, code_of
from active_workflow.store.mysql.inserting import Inserter
from active_workflow.store.mysql.reading import active_names
from active_workflow.store.mysql.rows import (
    CHANGED,
    changed_row,
    child_rows,
    listed,
    pieces,
    signal_row,
    step_rows,
)
from active_workflow.store.mysql.statement import (
    COMMIT,
    ROLLBACK,
    START,
    Rows,
    Statement,
    Statements,
    Table,
    time_of,
    transaction,
)


class Committer(BatchCommitter):
    """Commits for one store.

    Args:
        database: Its connections.
        say: Its statements.
        inserter: Stores plans.
        given_time: Gives the time of a clock that was given, or None.
    """

    def __init__(
        self,
        database: Database,
        say: Statements,
        inserter: Inserter,
        given_time: Callable[[], int | None],
    ) -> None:
        self._database = database
        self._say = say
        self._inserter = inserter
        self._given_time = given_time

    def apply(self, batch: Sequence[Change]) -> Mapping[str, int]:
        """Apply what the guards let pass, and give its tokens by id."""
        ordered = sorted(batch, key=lambda change: change.id)
        plans = [child.plan for change in batch for child in change.children]

        def act(link: Link) -> Mapping[str, int]:
            self._inserter.put_plans(link, plans)
            try:
                return self._apply_all(link, ordered)
            except pymysql.Error as error:
                if code_of(error) != OUT_OF_RANGE:
                    raise
            link.run(ROLLBACK)
            return self._apply_some(link, ordered)

        return self._database.call(act, rows=len(batch), once=True)

    def _apply_all(self, link: Link, batch: Sequence[Change]) -> Mapping[str, int]:
        """Apply the whole batch in one message, or nothing of it."""
        tokens = {change.id: change.after.token for change in batch if change.owned}
        others = [change.id for change in batch if not change.owned]
        statements = self._statements(batch)
        if others:
            statements.append(self._say("tokens", ids=listed(others)))
        *_, last, _ = link.run(*transaction(statements))
        if others:
            tokens.update(dict(last.rows))
        return tokens

    def _apply_some(self, link: Link, batch: Sequence[Change]) -> Mapping[str, int]:
        """Look at the guards first, keep them as they are, and apply those changes that they let pass."""
        _, found = link.run(START, self._say("lock_guards", ids=listed(change.id for change in batch)))
        guards = {id: (revision, token) for id, revision, token in found.rows}
        passed = [change for change in batch if _lets_pass(guards.get(change.id), change)]
        link.run(*(self._statements(passed) if passed else ()), COMMIT)
        return {change.id: guards[change.id][1] for change in passed}

    def _statements(self, batch: Sequence[Change]) -> list[Statement]:
        say = self._say
        statements: list[Statement] = []
        for piece in pieces([changed_row(change) for change in batch]):
            statements += say("advance", batch=Table(CHANGED, piece)), say("all_or_nothing", count=len(piece))
        received = [signal_row(c.id, signal) for c in batch for signal in c.received]
        children = child_rows(batch, time_of(self._given_time()))
        for name, rows in (
            ("put_steps", step_rows(batch)),
            ("put_signals", received),
            ("put_children", children),
        ):
            statements += [say(name, rows=Rows(piece)) for piece in pieces(rows)]
        taken = [(change.id, number) for change in batch for number in change.taken]
        statements += [say("take_signals", batch=Table(("id", "number"), piece)) for piece in pieces(taken)]
        return statements

    def guards(self, ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Give the revision and token that rows have now."""
        rows = self._database.call(lambda link: link.rows(self._say("guards", ids=listed(ids))))
        return {id: (revision, token) for id, revision, token in rows}

    def touch(self, link: Link, beats: Sequence[Heartbeat]) -> list[bool]:
        """Record signs of life of steps that really wait: the row of one that is tried again is stale."""
        _, found = link.run(START, self._say("active_steps", ids=listed(beat.id for beat in beats)))
        active = {id: active_names(text) for id, text in found.rows}
        waiting = [beat.id in active and beat.step not in active[beat.id] for beat in beats]
        now = time_of(self._given_time())
        touches = [
            self._say("touch", now=now, details=beat.details, id=beat.id, step=beat.step)
            for beat, may in zip(beats, waiting, strict=True)
            if may
        ]
        counts = iter([answer.number for answer in link.run(*touches, COMMIT)])
        return [may and next(counts) == 1 for may in waiting]


def _lets_pass(guard: tuple[int, int] | None, change: Change) -> bool:
    if guard is None:
        return False
    revision, token = guard
    return revision == change.after.revision - 1 and (not change.owned or token == change.after.token)
