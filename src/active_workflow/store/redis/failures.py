"""What the server's errors mean for the store: try again, read again, give up, or refuse."""

import re

from redis import exceptions

from active_workflow.errors import DataRejected, SchemaError, StoreError, StoreUnavailable
from active_workflow.store.calls import Failure
from active_workflow.store.redis.scripts import FORMAT

_CODES: dict[type[Exception], str] = {
    exceptions.BusyLoadingError: "LOADING",
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
    exceptions.MovedError: "MOVED",
    exceptions.AskError: "ASK",
    exceptions.NoPermissionError: "NOPERM",
    exceptions.AuthenticationError: "NOAUTH",
}
"""The driver takes the code out of the messages of these."""
_ELSEWHERE = {
    "READONLY": "the server takes no writes: it is a replica, or was told so",
    "MASTERDOWN": "the server is a replica that has lost its primary",
    "MOVED": "the cluster is changing",
    "ASK": "the cluster is moving the store's slot",
    "TRYAGAIN": "the cluster is moving the store's slot",
    "CLUSTERDOWN": "the cluster is down",
    "LOADING": "the server reads its data from the disk",
}
"""What soon ends, or ends with a new connection; nothing was written."""
_BUSY = {
    "OOM": "the server has reached maxmemory: raise it, or prune what is over",
    "MISCONF": "the server can't write to its disk",
    "NOREPLICAS": "too few replicas are there (min-replicas-to-write)",
    "BUSY": "somebody's script holds the server up",
    "clients": "the server takes no more clients: raise maxclients, or lower pool_size",
}
_REMEDIES = {
    "NOAUTH": "put the right user and password into the store's URL (redis://user:password@…)",
    "NOPERM": "let this user run EVAL, EVALSHA, HGET … PUBLISH, SUBSCRIBE and INFO on the store's keys",
}
_KNOWN = re.compile(rf"\b({'|'.join(['AWFORMAT', *_ELSEWHERE, *_BUSY, *_REMEDIES])})\b")


def code_of(error: Exception) -> str:
    """Give the code of the server's error: inside a script an old server puts it into the message."""
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return code
    if isinstance(error, exceptions.ResponseError) or "max number of clients" in str(error):
        found = _KNOWN.search(str(error))
        return found[1] if found else ""
    return ""


def is_elsewhere(error: Exception) -> bool:
    """Tell whether nothing was done, and the same call may soon go through on a new connection."""
    return code_of(error) in _ELSEWHERE


def is_lost(error: Exception) -> bool:
    """Tell whether the connection broke: then nobody knows what became of the call."""
    if isinstance(error, exceptions.ConnectionError):
        return not code_of(error)
    return isinstance(error, exceptions.TimeoutError | exceptions.InvalidResponse | OSError)


def read_failure(error: Exception, where: object) -> Failure:
    """Tell what an error of the driver means."""
    return Failure(translate(error, where), lost=is_lost(error), conflict=is_elsewhere(error))


def translate(error: Exception, where: object) -> StoreError:
    """Give the store's own error for an error of the driver."""
    if isinstance(error, UnicodeEncodeError):
        return DataRejected(f"{where}: half of a surrogate pair is no text: {error}")
    told, code = f"{where}: {first_line(error)}", code_of(error)
    if is_lost(error):
        return StoreUnavailable(f"{told}: the connection was lost")
    if code == "AWFORMAT":
        return _other_format(str(error).rpartition("AWFORMAT ")[2].split()[0], where)
    if remedy := _ELSEWHERE.get(code) or _BUSY.get(code):
        return StoreUnavailable(f"{told}: {remedy}")
    return StoreError(f"{told}: {_REMEDIES[code]}" if code in _REMEDIES else told)


def _other_format(found: str, where: object) -> SchemaError:
    if found == "none":
        return SchemaError(
            f"{where} holds no store: run `active-workflow migrate`. If there was one, its data is gone: "
            "restore it from a backup first"
        )
    return newer_format(found, where)


def newer_format(found: str, where: object) -> SchemaError:
    """Give the error for a store of another layout."""
    return SchemaError(
        f"{where} has a store of format {found}, made by another version of active-workflow; this one knows "
        f"{FORMAT}: upgrade this process"
    )


def first_line(error: Exception) -> str:
    """Give the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
