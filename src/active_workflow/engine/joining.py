"""Starts in transactions of callers: what is started exists once they commit, and is woken then."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from active_workflow.core.snapshot import Execution
from active_workflow.dsl.client import StartOptions
from active_workflow.dsl.program import Program
from active_workflow.engine.hosting import Host
from active_workflow.engine.notices import notifier, publish
from active_workflow.engine.starting import Accepted, Starter, accepted
from active_workflow.engine.transactional import inside
from active_workflow.errors import ConfigurationError, StoreError, StoreUnavailable
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.transactions import JoinsTransactions, Transaction

_log = logging.getLogger("active_workflow")


class Joining:
    """Starts executions in transactions of callers. No worker takes them over: they may never come to be.

    Args:
        host: The living parts of the engine.
        starter: Makes executions.
    """

    def __init__(self, host: Host, starter: Starter) -> None:
        self._host = host
        self._starter = starter

    def start(self, program: Program, ctxs: Sequence[object], options: StartOptions) -> list[Execution]:
        """Insert executions in the caller's transaction, and answer in order."""
        step = inside(self._host.store, options.connection)
        transaction = self._transaction(options.connection if step is None else step.connection)
        new = self._prepared(transaction, program, ctxs, options)
        answers = transaction.insert(new, skip_conflicts=options.skips)
        started = accepted(new, answers, options)
        holders = transaction.load(ids) if (ids := _holders(answers)) else ()
        after_commit = transaction.after_commit if step is None else step.after_commit.append
        return self._answered(after_commit, started, holders)

    async def start_async(
        self, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> list[Execution]:
        """Do the same, awaited; all but the caller's connection is used in another thread."""
        transaction = self._transaction(options.connection)
        new = await asyncio.to_thread(self._prepared, transaction, program, ctxs, options)
        answers = await transaction.insert_async(new, skip_conflicts=options.skips)
        started = accepted(new, answers, options)
        holders = await transaction.load_async(ids) if (ids := _holders(answers)) else ()
        return self._answered(transaction.after_commit, started, holders)

    def _transaction(self, connection: object) -> Transaction:
        store = self._host.store
        if not isinstance(store, JoinsTransactions):
            raise ConfigurationError(
                f"connection=: {type(store).__name__} is in no database whose transactions a start could "
                "join; use sqlite:///…, postgresql://… or mysql://…, or start without it"
            )
        return store.join(connection)

    def _prepared(
        self, transaction: Transaction, program: Program, ctxs: Sequence[object], options: StartOptions
    ) -> list[NewExecution]:
        """Make the executions, and see to it that somebody is there to run them."""
        try:
            now = self._host.now()
            self._host.ensure_worker()
            new = self._starter.prepare(program, ctxs, options, now=now)
            transaction.ready(new)
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"{error}. If it is this very transaction that is in the way of making the tables, make them "
                "before: run `active-workflow migrate`, or engine.store.prepare()"
            ) from error
        return new

    def _answered(
        self,
        after_commit: Callable[[Callable[[], None]], object],
        started: Sequence[Accepted],
        holders: Sequence[Execution],
    ) -> list[Execution]:
        new = [one.new for one in started if one.new is not None]
        if new:
            self._host.uncommitted.remember(x.id for x in new)
            after_commit(lambda: self._committed(new))
        found = {x.id: x for x in holders}
        return [one.new or found[one.id] for one in started]

    def _committed(self, new: Sequence[Execution]) -> None:
        """Tell of them and have them looked at. Those of a savepoint that was rolled back are not there."""
        try:
            if notifier.wanted:
                there = self._host.store.states([x.id for x in new])
                told = [(None, x) for x in new if x.id in there]
                publish(told, self._host.now(), self._host.serializer)
            self._host.wake([x.id for x in new], hint=True)
        except StoreError as error:  # the caller's commit has succeeded, and they are found anyway
            _log.warning("could not tell of executions that were committed: %s", error)


def _holders(answers: Sequence[Inserted]) -> list[str]:
    return list(dict.fromkeys(answer.holder.id for answer in answers if answer.holder is not None))
