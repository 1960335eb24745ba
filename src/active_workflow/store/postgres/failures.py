"""What PostgreSQL's errors mean for the store: try again, read again, give up, or refuse the data."""

import psycopg
from psycopg import errors

from active_workflow.errors import DataRejected, SchemaError, StoreError, StoreUnavailable
from active_workflow.store.calls import Failure

Error = psycopg.Error | UnicodeEncodeError

CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected)
"""Everything was taken back, and the same statement may go through at once."""

_CUT_OFF = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.DatabaseDropped,
)
_DATA = {"22", "23", "54"}
"""Classes of errors about the data itself: exceptions, integrity, limits of the program."""
_BUSY = {
    "55P03": "a lock was not given in time: look for a long transaction on the tables",
    "57014": "the statement was cancelled, or took too long",
    "25006": "the server takes no writes: it is a standby, or was told so",
}
_BUSY_CLASSES = {
    "53": "the server lacks disk, memory or connections; once it has them everything goes on by itself",
    "58": "the server's own system fails",
}


def is_lost(error: Error) -> bool:
    """Tell whether the connection broke: then nobody knows what became of the statement."""
    if isinstance(error, _CUT_OFF):
        return True
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith("08")


def is_about_data(error: Error) -> bool:
    """Tell whether the server, or the driver, refuses the data itself."""
    if not isinstance(error, psycopg.Error):
        return True
    if error.sqlstate is None:
        return isinstance(error, psycopg.DataError)
    return error.sqlstate[:2] in _DATA


def translate(error: Error, where: str) -> StoreError:
    """Give the store's own error for an error of the driver."""
    told = f"{where}: {first_line(error)}"
    if is_about_data(error):
        return DataRejected(f"{told}: the same data will never be taken")
    assert isinstance(error, psycopg.Error)  # noqa: S101 - the other kind was about data
    state = error.sqlstate or ""
    if remedy := _passing(error, state):
        return StoreUnavailable(f"{told}: {remedy}")
    if state in {"42P01", "42703", "3F000"}:
        return SchemaError(f"{told}: run `active-workflow migrate` for this store")
    return StoreError(f"{told}: grant it to this user" if state == "42501" else told)


def read_failure(error: Exception, where: str) -> Failure:
    """Tell what an error of the driver means."""
    assert isinstance(error, Error)  # noqa: S101 - no others are asked about
    return Failure(translate(error, where), lost=is_lost(error), conflict=isinstance(error, CONFLICTS))


def _passing(error: psycopg.Error, state: str) -> str | None:
    """Tell what helps against a trouble that passes; None if it is of another kind."""
    if is_lost(error):
        return "the connection was lost"
    if isinstance(error, CONFLICTS):
        return "others were in the way again and again"
    return _BUSY.get(state) or _BUSY_CLASSES.get(state[:2])


def first_line(error: Exception) -> str:
    """Give the first line of an error's message: the rest repeats the statement, with users' data in it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
