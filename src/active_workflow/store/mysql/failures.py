"""What the errors of MariaDB and MySQL mean for the store: try again, read again, give up or refuse."""

from collections.abc import Mapping

import pymysql  # type: ignore[import-untyped]

from active_workflow.errors import DataRejected, SchemaError, StoreError, StoreUnavailable
from active_workflow.store.calls import Failure

DRIVER_ERRORS: tuple[type[Exception], ...] = (pymysql.Error, UnicodeEncodeError)

DUPLICATE = 1062
OUT_OF_RANGE = 1690
"""What the statement ``all_or_nothing`` fails with."""
ALREADY_DONE = {1050, 1060, 1061, 1091}
"""What is to be made is there already, or what is to be dropped is not."""
NO_TABLE = 1146

_LOCKED = 1205
_CONFLICTS = {
    1213,  # a deadlock: the transaction was taken back
    _LOCKED,  # a lock was not given in time: only the statement was taken back; the rest is by us
    1020,  # a row has changed since it was read
}
_LOST = {0, 2003, 2006, 2013, 2014, 2055, 1053, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 4031}
"""The connection broke, or the server ended it."""
_DATA = {1118, 1153, 1366, 1406, 3140, 3819, 4025, 4038}
"""Beside the driver's own classes: rows too large, constraints, text that is none."""
_BUSY: Mapping[int, str] = {
    _LOCKED: "a lock was not given in time: look for a long transaction on the tables",
    1317: "the statement was ended by somebody",
    1969: "the statement took too long for the server",
    3024: "the statement took too long for the server",
    1290: "the server takes no writes: it is a replica, or was told so",
    1792: "the server takes no writes: it is a replica, or was told so",
    1836: "the server takes no writes: it is a replica, or was told so",
    1021: "the server's disk is full; once it has room everything goes on by itself",
    1114: "the server's disk is full; once it has room everything goes on by itself",
    1040: "the server has no connection left: lower pool_size, or raise its max_connections",
    1203: "this user has no connection left: lower pool_size, or raise max_user_connections",
    1226: "this user has used up what the server allows",
    1206: "the server lacks memory for locks",
}
_DENIED = {1044, 1045, 1142, 1143, 1227, 1370}
_SCHEMA = {NO_TABLE, 1054}


def code_of(error: Exception) -> int | None:
    """Give an error's number; None where it has none."""
    found = error.args[0] if isinstance(error, pymysql.Error) and error.args else None
    return found if isinstance(found, int) else None


def is_lost(error: Exception) -> bool:
    """Tell whether the connection broke: then nobody knows what became of what was sent."""
    if not isinstance(error, pymysql.Error):
        return False
    code = code_of(error)
    # Without a number it is the driver that no longer understands the server, or has closed the connection.
    return code is None or code in _LOST


def read_failure(error: Exception, where: str, lock_wait: float) -> Failure:
    """Tell what an error of the driver means, where locks are waited for so long."""
    code = code_of(error)
    return Failure(
        translate(error, where),
        lost=is_lost(error),
        conflict=code in _CONFLICTS,
        wait=lock_wait if code == _LOCKED else 0.0,
    )


def translate(error: Exception, where: str) -> StoreError:
    """Give the store's own error for an error of the driver."""
    told = f"{where}: {words_of(error)}"
    code = code_of(error)
    if _is_about_data(error, code):
        return DataRejected(f"{told}: the same data will never be taken")
    if is_lost(error):
        return StoreUnavailable(f"{told}: the connection was lost")
    if code is not None and code in _BUSY:
        return StoreUnavailable(f"{told}: {_BUSY[code]}")
    if code in _CONFLICTS:
        return StoreUnavailable(f"{told}: others were in the way again and again")
    if code in _SCHEMA:
        return SchemaError(f"{told}: run `active-workflow migrate` for this store")
    return StoreError(f"{told}: grant it to this user" if code in _DENIED else told)


def _is_about_data(error: Exception, code: int | None) -> bool:
    kinds = (pymysql.DataError, pymysql.IntegrityError, UnicodeEncodeError)
    return isinstance(error, kinds) or code in _DATA


def words_of(error: Exception) -> str:
    """Give what an error says, in one line."""
    words = str(error.args[-1] if error.args else "") if isinstance(error, pymysql.Error) else str(error)
    return (words.strip().splitlines() or [type(error).__name__])[0]
