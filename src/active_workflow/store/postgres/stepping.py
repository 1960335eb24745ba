"""The transaction of a transactional step."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.errors import InFailedSqlTransaction

from active_workflow.core.snapshot import Execution
from active_workflow.errors import StoreUnavailable, UnknownCommit
from active_workflow.store.joining.lent import ended
from active_workflow.store.joining.opening import open_session
from active_workflow.store.listening import Origin
from active_workflow.store.plans import Plans
from active_workflow.store.postgres import loading
from active_workflow.store.postgres.connection import Link
from active_workflow.store.postgres.database import Database
from active_workflow.store.postgres.encoding import changes_text
from active_workflow.store.postgres.failures import CONFLICTS, is_lost, translate
from active_workflow.store.postgres.inserting import Inserter
from active_workflow.store.postgres.lending import StepLink
from active_workflow.store.postgres.names import Names
from active_workflow.store.transactions import Decide, StepSession

_AS_IT_WAS = b"SET LOCAL search_path TO DEFAULT; SET LOCAL role TO DEFAULT;"
"""What a step may have changed, as one that serves tenants does, and our statements need as it was."""


class PostgresTransactions:
    """Makes the transactions of one store.

    Args:
        database: Its connections.
        names: Its statements.
        plans: What is known of plans.
        inserter: Stores plans.
        origin: Who tells others of what came due.
    """

    def __init__(
        self, database: Database, names: Names, plans: Plans, inserter: Inserter, origin: Origin
    ) -> None:
        self.db = database
        self.names = names
        self.plans = plans
        self.inserter = inserter
        self.origin = origin

    @contextmanager
    def begun(self, limit: float | None) -> Iterator["PostgresStepTransaction"]:
        """Begin a step's transaction, and end it; see ``RunsTransactions``."""
        with self.db.for_step() as link:
            assert isinstance(link, StepLink)  # noqa: S101 - the pool has no others
            try:
                try:
                    link.lend()
                except psycopg.Error as error:
                    raise StoreUnavailable(str(translate(error, self.db.where))) from error
                if limit is not None:
                    link.until = time.monotonic() + limit
                yield PostgresStepTransaction(link, self)
            finally:
                link.clean()


class PostgresStepTransaction:
    """One step's transaction; see ``StepTransaction``."""

    late = False
    """Never: the law gives up on a step whose time is over, and then its attempt is not the one that runs."""

    def __init__(self, link: StepLink, of: PostgresTransactions) -> None:
        self.connection = link
        self._of = of

    @property
    def transient(self) -> bool:
        """Whether the connection broke, or the server has taken back what the step did."""
        return self.connection.broken or self.connection.closed or self.connection.conflicted

    def session(self) -> StepSession:
        """Give a session of SQLAlchemy's."""
        return open_session(self.connection, "postgresql", self._of.db.where)

    def take_back(self) -> None:
        """Take it back; a savepoint that is gone shows that the step has ended the transaction."""
        self._ours()
        try:
            self.connection.run(b"ROLLBACK TO SAVEPOINT active_workflow_step")
        except psycopg.Error as error:
            if not is_lost(error):
                raise ended() from None

    def complete(self, known: Execution, decide: Decide) -> bool:
        """Write what became of the step, and commit."""
        self._ours()
        link = self.connection
        try:
            link.run(b"RELEASE SAVEPOINT active_workflow_step")
        except InFailedSqlTransaction:
            raise  # a statement of the step's has failed, which it has passed over: nothing can be kept
        except psycopg.Error as error:
            if is_lost(error):
                raise translate(error, self._of.db.where) from error
            raise ended() from None
        try:
            link.ahead = _AS_IT_WAS + self._of.db.ahead
            if not self._write(known, decide):
                return False
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise translate(error, self._of.db.where) from error
        self._commit()
        return True

    def _ours(self) -> None:
        self.connection.take_over()
        self.connection.until = time.monotonic() + self._of.db.options.timeout

    def _write(self, known: Execution, decide: Decide) -> bool:
        if self._written(known, decide):
            return True
        link, of = self.connection, self._of
        link.rows(of.names["lock"], [known.id])
        fresh = loading.fetch(link, of.names, [known.id], of.plans).read([known.id], of.plans)
        return bool(fresh) and self._written(fresh[0], decide)

    def _written(self, seen: Execution, decide: Decide) -> bool:
        change = decide(seen)
        if change is None:
            return False
        of = self._of
        plans = [child.plan for child in change.children]
        if plans:  # beside the transaction, which may come to nothing
            of.db.call(lambda link: of.inserter.put_plans(link, plans))
        parameters = [changes_text([change]), of.names.channel, str(of.origin)]
        return any(id == change.id for id, _ in self.connection.rows(of.names["commit"], parameters))

    def _commit(self) -> None:
        try:
            Link.commit(self.connection)
        except psycopg.Error as error:
            if is_lost(error):
                raise UnknownCommit(f"{translate(error, self._of.db.where)} during a commit") from error
            if isinstance(error, CONFLICTS):
                raise translate(error, self._of.db.where) from error
            raise  # the database refuses what the step wrote: a deferred constraint
