"""Inserting in a transaction of the caller's, on the caller's own connection to the database.

The session is the caller's, and set as the caller wants it: texts are written as hexadecimal numbers, which
mean the same in every mode. Whatever has to be as of now is read with a lock, for the transaction may have
begun to read long ago; but only what is there is locked so, lest the gap beside it be locked too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from active_workflow.core.snapshot import Execution
from active_workflow.errors import ConfigurationError, DataRejected
from active_workflow.store.base import Holder, Inserted, NewExecution
from active_workflow.store.fetched import Row
from active_workflow.store.joining.caller import Joined, no_transaction
from active_workflow.store.joining.script import Rows, Script, whole_or_nothing
from active_workflow.store.joining.script import Statement as Said
from active_workflow.store.keys import Held, settle_keys
from active_workflow.store.mysql import reading
from active_workflow.store.mysql.database import Database
from active_workflow.store.mysql.inserting import Inserter
from active_workflow.store.mysql.rows import check_key_length, listed
from active_workflow.store.mysql.statement import Listed, Statement, Statements, Table
from active_workflow.store.mysql.statement import Rows as Values
from active_workflow.store.one_shape import sorted_out
from active_workflow.store.plans import Plans

_SAVEPOINT = "active_workflow_probe"
_VENDORS = {"mysql", "mariadb"}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the store's tables are: the database's name, and when they were made: no other has the same."""

    database: str
    stamp: Rows


class MySQLScripts:
    """The scripts of one store.

    Args:
        database: Its connections, for what is done beside the caller's transaction.
        say: Its statements.
        plans: What is known of plans.
        inserter: Stores plans, and knows how to insert.
        given_time: Gives the time of a clock that was given, or None.
    """

    def __init__(
        self,
        database: Database,
        say: Statements,
        plans: Plans,
        inserter: Inserter,
        given_time: Callable[[], int | None],
    ) -> None:
        self._db = database
        self._say = say
        self._plans = plans
        self._inserter = inserter
        self._given_time = given_time
        self._ours: _Place | None = None

    def insert(
        self, caller: Joined, new: Sequence[NewExecution], *, skip_conflicts: bool
    ) -> Script[Sequence[Inserted]]:
        """Check that it is the store's database, then insert what is new and holds its key."""
        if caller.vendor not in _VENDORS:
            raise ConfigurationError(
                f"connection= is one to {caller.vendor}, and executions are kept in MariaDB or MySQL, "
                f"{self._db.where}: a start can join transactions of the same database only"
            )
        caller.begin()
        yield from _probe()
        largest = yield from self._check()
        return (yield from whole_or_nothing(self._insert(new, largest, skip_conflicts=skip_conflicts)))

    def _check(self) -> Script[int]:
        """Raise ConfigurationError unless the connection leads to the store's tables; give what it takes."""
        ours = self._ours or self._learn_ours()
        [(database, charset, largest)] = yield _said(self._say("place"))
        if database != ours.database:
            told = f"the database {database!r}, and executions are kept in {ours.database!r}"
        elif (yield _said(self._say("stamp"))) != ours.stamp:
            told = f"another server than the store's {self._db.where}"
        elif charset not in {None, "utf8mb4"}:
            raise ConfigurationError(
                f"connection= has the character set {charset}, which has no room for all text: open it with "
                "charset='utf8mb4'"
            )
        else:
            return int(largest)
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

    def _learn_ours(self) -> _Place:
        place, stamp = self._db.call(lambda link: link.run(self._say("place"), self._say("stamp")))
        self._ours = _Place(place.rows[0][0], list(stamp.rows))
        return self._ours

    def _insert(
        self, new: Sequence[NewExecution], largest: int, *, skip_conflicts: bool
    ) -> Script[Sequence[Inserted]]:
        keys = sorted({item.execution.key for item in new if item.execution.key is not None})
        held = (yield from self._held(new, keys)) if keys else {}
        answers, accepted = settle_keys(new, held, (), skip_conflicts=skip_conflicts)
        ids = {item.execution.key: item.execution.id for item in accepted if item.execution.key is not None}
        if ids:
            yield _said(self._say("take_over", batch=Table(("held", "id"), sorted(ids.items()))))
        unused = [key for key in keys if key not in held and key not in ids]
        if unused:
            yield _said(self._say("free_keys", keys=Listed(unused)))
        for statement in self._inserter.statements(accepted, (), self._given_time()):
            said = _said(statement)
            if len(said.text) + 16 > largest:
                raise DataRejected(
                    f"a row of {len(said.text)} bytes is more than the server takes ({largest} bytes): raise "
                    "max_allowed_packet there, or keep large data elsewhere and pass where it is"
                )
            yield said
        return answers

    def _held(self, new: Sequence[NewExecution], keys: Sequence[str]) -> Script[dict[str, Held]]:
        """Take the keys that are free, for the first who wants each, and give the holders of the others."""
        firsts: dict[str, str] = {}
        for item in new:
            if item.execution.key is not None:
                check_key_length(item.execution.key)
                firsts.setdefault(item.execution.key, item.execution.id)
        yield _said(self._say("take_free_keys", rows=Values(sorted(firsts.items()))))
        rows = yield _said(self._say("key_holders", keys=Listed(keys)))
        others = {key: id for key, id in rows if firsts[key] != id}
        if not others:
            return {}
        ids = self._say("holder_rows", ids=listed(others.values()))
        # One of this transaction is seen by it alone; one that was committed lately, perhaps not by it.
        seen = {row[0]: row for row in (yield _said(ids))}
        committed: Sequence[Row] = self._db.call(lambda link: link.rows(ids))
        found = {**seen, **{row[0]: row for row in committed}}
        if not found.keys() >= set(others.values()):
            raise AssertionError("a key is held by an execution that isn't there: was a row deleted by hand?")
        return {key: Held(Holder(*found[id][:3]), found[id][3]) for key, id in others.items()}

    def load(self, ids: Sequence[str]) -> Script[Sequence[Execution]]:
        """Load executions, those of the transaction itself too; plans are there for all to see."""
        load = self._say("load", ids=listed(ids))
        fetched = sorted_out((yield _said(load)))
        missing = [id for id in ids if id not in fetched.executions]
        if missing:  # committed after the transaction had begun to read
            beside = self._db.call(lambda link: reading.fetch(link, self._say, missing, self._plans))
            fetched.executions.update(beside.executions)
            fetched.steps.update(beside.steps)
            fetched.signals.update(beside.signals)
        self._db.call(lambda link: reading.learn(link, self._say, fetched, self._plans))
        return fetched.read(ids, self._plans)


def _probe() -> Script[None]:
    """Raise MisuseError where no transaction is open, nor will be: there a savepoint is gone at once."""
    yield Said(f"SAVEPOINT {_SAVEPOINT}")
    try:
        yield Said(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    except Exception as error:
        raise no_transaction(
            "call connection.begin() before it, or take a connection whose isolation level is not AUTOCOMMIT"
        ) from error


def _said(statement: Statement) -> Said:
    """Give a statement that is the same in every session."""
    return Said(statement.render(_in_hexadecimal))


def _in_hexadecimal(text: str) -> str:
    return f"_utf8mb4 X'{text.encode().hex()}'"
