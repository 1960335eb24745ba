"""Scripts: what is to be done on a connection, without knowing which; written once for all drivers.

A script yields statements and is sent their rows, or is thrown their error. Whoever drives it may do so in
a thread or on an event loop.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Rows = Sequence[tuple[Any, ...]]

_SAVEPOINT = "active_workflow_start"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with ``?`` (SQLite) or ``$1`` (PostgreSQL) where its parameters go.

    Attributes:
        text: The statement.
        parameters: Its parameters.
        repeats: In place of one set of parameters several, for each of which it is run; it has no rows then.
    """

    text: str
    parameters: Sequence[Any] = ()
    repeats: Sequence[Sequence[Any]] | None = None


Script = Generator[Statement, Rows, T]


def follow(script: Script[T], run: Callable[[Statement], Rows]) -> T:
    """Do what a script says."""
    try:
        statement = next(script)
        while True:
            try:
                rows = run(statement)
            except Exception as error:  # noqa: BLE001 - the script takes back what it did, then raises it
                statement = script.throw(error)
            else:
                statement = script.send(rows)
    except StopIteration as end:
        answer: T = end.value
        return answer


async def follow_async(script: Script[T], run: Callable[[Statement], Awaitable[Rows]]) -> T:
    """Do what a script says, awaiting each statement."""
    try:
        statement = next(script)
        while True:
            try:
                rows = await run(statement)
            except Exception as error:  # noqa: BLE001 - as above
                statement = script.throw(error)
            else:
                statement = script.send(rows)
    except StopIteration as end:
        answer: T = end.value
        return answer


def whole_or_nothing(script: Script[T]) -> Script[T]:
    """Do what a script says between savepoints: after an error the transaction is as it was before."""
    yield Statement(f"SAVEPOINT {_SAVEPOINT}")
    try:
        answer = yield from script
    except Exception:
        yield Statement(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        yield Statement(f"RELEASE SAVEPOINT {_SAVEPOINT}")
        raise
    yield Statement(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    return answer
