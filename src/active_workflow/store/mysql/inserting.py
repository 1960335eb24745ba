"""Inserting executions: one message where no key is held, else a transaction that settles who gets what."""

from collections.abc import Sequence

import pymysql  # type: ignore[import-untyped]

from active_workflow.core.plan import Plan
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.keys import held_by, settle_keys
from active_workflow.store.mysql.connection import Link
from active_workflow.store.mysql.failures import DUPLICATE, code_of
from active_workflow.store.mysql.rows import first_step_rows, listed, new_row, pieces, signal_row
from active_workflow.store.mysql.statement import (
    COMMIT,
    ROLLBACK,
    START,
    Listed,
    Rows,
    Statement,
    Statements,
    Table,
    time_of,
    transaction,
)
from active_workflow.store.plans import Plans
from active_workflow.store.queues import queues_of

_TRIES = 20


class Inserter:
    """Inserts for one store.

    Args:
        say: The statements.
        plans: What is known of plans.
    """

    def __init__(self, say: Statements, plans: Plans) -> None:
        self._say = say
        self._plans = plans
        self._known: set[str] = set()

    def forget(self) -> None:
        """Take nothing for granted: a new connection may lead to another server."""
        self._known.clear()

    def insert(
        self, link: Link, new: Sequence[NewExecution], now: int | None, *, skip_conflicts: bool
    ) -> Sequence[Inserted]:
        """Insert what is new and holds its key, and answer in order."""
        self.put_plans(link, [item.execution.plan for item in new])
        ids = {item.execution.id for item in new}
        keys = sorted({item.execution.key for item in new if item.execution.key is not None})
        if len(ids) == len(new) and len(keys) == sum(item.execution.key is not None for item in new):
            wanted = [(i.execution.key, i.execution.id) for i in new if i.execution.key is not None]
            statements = self.statements(new, sorted(wanted), now)
            if _succeeds(link, transaction(statements)):
                return [Inserted(item.execution.id) for item in new]
        for _ in range(_TRIES):
            answers = self._settle(link, new, keys, now, skip_conflicts=skip_conflicts)
            if answers is not None:
                return answers
        raise AssertionError("a key is held by an execution that isn't there: was a row deleted by hand?")

    def _settle(
        self,
        link: Link,
        new: Sequence[NewExecution],
        keys: Sequence[str],
        now: int | None,
        *,
        skip_conflicts: bool,
    ) -> Sequence[Inserted] | None:
        """Find out who holds what, decide and insert; None if somebody came in between."""
        lasting = all(item.key_reuse == "never" for item in new)
        *_, holders, existing = link.run(
            START,
            self._say("lock_keys", keys=Listed(keys), lasting=lasting or None, passing=not lasting or None),
            self._say("holders", keys=Listed(keys)),
            self._say("existing_ids", ids=listed(item.execution.id for item in new)),
        )
        held = held_by(holders.rows)
        answers, accepted = settle_keys(
            new, held, {id for (id,) in existing.rows}, skip_conflicts=skip_conflicts
        )
        wanted = {
            item.execution.key: item.execution.id for item in accepted if item.execution.key is not None
        }
        ended = [(key, id) for key, id in sorted(wanted.items()) if key in held]
        free = [(key, id) for key, id in sorted(wanted.items()) if key not in held]
        statements = [self._say("take_over", batch=Table(("held", "id"), piece)) for piece in pieces(ended)]
        statements += self.statements(accepted, free, now)
        return answers if _succeeds(link, [*statements, COMMIT]) else None

    def statements(
        self, new: Sequence[NewExecution], keys: Sequence[tuple[str, str]], now: int | None
    ) -> list[Statement]:
        """Give the statements that insert executions, and enter these keys, which are in order."""
        say = self._say
        executions = [item.execution for item in new]
        signals = [signal_row(e.id, signal) for e in executions for signal in e.signals]
        time = time_of(now)
        return [
            say(name, rows=Rows(piece))
            for name, rows in (
                ("hold_keys", keys),
                ("put_executions", [new_row(item, time) for item in new]),
                ("put_steps", first_step_rows(executions)),
                ("put_signals", signals),
            )
            for piece in pieces(rows)
        ]

    def put_plans(self, link: Link, plans: Sequence[Plan]) -> None:
        """See to it that the tables of plans and kinds have these."""
        missing = {plan.hash: plan for plan in plans if plan.hash not in self._known}
        if missing:
            kinds = {(plan.workflow, queue) for plan in missing.values() for queue in queues_of(plan)}
            bodies = [(h, plan.workflow, self._plans.body(plan)) for h, plan in sorted(missing.items())]
            link.run(
                self._say("put_kinds", rows=Rows(sorted(kinds))), self._say("put_plans", rows=Rows(bodies))
            )
            self._known.update(missing)


def _succeeds(link: Link, statements: Sequence[Statement]) -> bool:
    """Run statements that end a transaction; nothing is done (False) if an id or a key is there already."""
    try:
        link.run(*statements)
    except pymysql.IntegrityError as error:
        if code_of(error) != DUPLICATE:
            raise
        link.run(ROLLBACK)
        return False
    return True
