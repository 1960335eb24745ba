"""Inserting in a transaction of the caller's, on the caller's own connection to the database.

No statement here may fail in the ordinary course of things: an error would end the caller's transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from active_workflow.core.snapshot import Execution
from active_workflow.errors import ConfigurationError
from active_workflow.store.base import Inserted, NewExecution
from active_workflow.store.joining.caller import Joined
from active_workflow.store.joining.script import Rows, Script, Statement, whole_or_nothing
from active_workflow.store.jsontext import write_ascii
from active_workflow.store.keys import Held, held_by, settle_keys
from active_workflow.store.one_shape import sorted_out
from active_workflow.store.plans import Plans
from active_workflow.store.postgres import loading
from active_workflow.store.postgres.database import Database
from active_workflow.store.postgres.encoding import ids_text, new_text
from active_workflow.store.postgres.inserting import Inserter, batches
from active_workflow.store.postgres.names import Names

_NOBODY = ""
"""Who tells of what came due: not this store, for its own worker, too, is to hear of the commit."""
_TRIES = 20


class _TakenMeanwhileError(Exception):
    """Somebody else has taken a key that was free a moment ago."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the store's tables are.

    Attributes:
        database: The database's name.
        table: The number of the table of executions in it.
        stamp: When it was made.
    """

    database: str
    table: int
    stamp: Rows


class PostgresScripts:
    """The scripts of one store.

    Args:
        database: Its connections, for what is done beside the caller's transaction.
        names: Its statements.
        plans: What is known of plans.
        inserter: Stores plans.
        given_time: Gives the time of a clock that was given, or None.
    """

    def __init__(
        self,
        database: Database,
        names: Names,
        plans: Plans,
        inserter: Inserter,
        given_time: Callable[[], int | None],
    ) -> None:
        self._db = database
        self._names = names
        self._inserter = inserter
        self._plans = plans
        self._given_time = given_time
        self._table = names.put_into("aw_executions").decode()
        self._ours: _Place | None = None

    def _statement(self, name: str, *parameters: object) -> Statement:
        return Statement(self._names[name].decode(), parameters)

    def insert(
        self, caller: Joined, new: Sequence[NewExecution], *, skip_conflicts: bool
    ) -> Script[Sequence[Inserted]]:
        """Check that it is the store's database, then insert what is new and holds its key."""
        if caller.vendor != "postgresql":
            raise ConfigurationError(
                f"connection= is one to {caller.vendor}, and executions are kept in PostgreSQL, "
                f"{self._db.where}: a start can join transactions of the same database only"
            )
        caller.begin()
        for _ in range(_TRIES):
            try:
                return (yield from whole_or_nothing(self._attempt(new, skip_conflicts=skip_conflicts)))
            except _TakenMeanwhileError:
                continue
        raise AssertionError("a key is held by an execution that isn't there: was a row deleted by hand?")

    def _attempt(self, new: Sequence[NewExecution], *, skip_conflicts: bool) -> Script[Sequence[Inserted]]:
        yield from self._check()
        return (yield from self._insert(new, skip_conflicts=skip_conflicts))

    def _check(self) -> Script[None]:
        """Raise ConfigurationError unless the connection sees the very tables that the store does."""
        ours = self._ours or self._learn_ours()
        ((database, table),) = yield self._statement("place", self._table)
        if database != ours.database:
            told = f"the database {database!r}, and executions are kept in {ours.database!r}"
        elif table is None:
            told = f"a database where it finds no table {self._table}: is its search_path another one"
        elif table != ours.table:
            told = f"another table {self._table} than the store's: is its search_path another one"
        elif [*(yield self._statement("stamp"))] != ours.stamp:
            told = f"another server than the store's {self._db.where}"
        else:
            return
        self._ours = None  # should it be the store's own that has moved, the next start will know
        raise ConfigurationError(
            f"connection= leads to {told}: a start can join transactions of the store's own database only"
        )

    def ready(self, new: Sequence[NewExecution]) -> None:
        """Store plans beside the transaction: whoever starts the same workflow would wait for its end."""
        plans = [item.execution.plan for item in new]
        self._db.call(lambda link: self._inserter.put_plans(link, plans))
        if self._ours is None:
            self._learn_ours()

    def _learn_ours(self) -> "_Place":
        ((database, table),) = self._db.call(lambda link: link.rows(self._names["place"], [self._table]))
        stamp = self._db.call(lambda link: link.rows(self._names["stamp"]))
        self._ours = _Place(database, table, stamp)
        return self._ours

    def _insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool) -> Script[Sequence[Inserted]]:
        keys = sorted({item.execution.key for item in new if item.execution.key is not None})
        lasting = all(item.key_reuse == "never" for item in new)
        rows = (
            (yield self._statement("seen_holders" if lasting else "holders", write_ascii(keys)))
            if keys
            else ()
        )
        held = held_by(rows)
        answers, accepted = settle_keys(new, held, (), skip_conflicts=skip_conflicts)
        yield from self._take_keys(accepted, held)
        texts = [new_text(item, takes_key=False) for item in accepted]
        for batch in batches(texts):
            yield self._statement("insert", batch, self._given_time(), self._names.channel, _NOBODY)
        return answers

    def _take_keys(self, accepted: Sequence[NewExecution], held: dict[str, Held]) -> Script[None]:
        """Take the keys: free ones, and those whose holders have ended."""
        wanted = [{"key": x.execution.key, "id": x.execution.id} for x in accepted if x.execution.key]
        free = [one for one in wanted if one["key"] not in held]
        ended = [one for one in wanted if one["key"] in held]
        if free and len((yield self._statement("take_keys", write_ascii(free)))) < len(free):
            raise _TakenMeanwhileError
        if ended:
            yield self._statement("take_over", write_ascii(ended))

    def load(self, ids: Sequence[str]) -> Script[Sequence[Execution]]:
        """Load executions, those of the transaction itself too; plans are there for all to see."""
        fetched = sorted_out((yield self._statement("load", ids_text(ids))))
        self._db.call(lambda link: loading.learn(link, self._names, fetched, self._plans))
        return fetched.read(ids, self._plans)
