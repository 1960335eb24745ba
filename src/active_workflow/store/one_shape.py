"""Executions, their steps and their signals as rows of one shape, so that one statement gives them all.

A row is its kind, then nine texts and eight numbers; what each holds depends on the kind.
"""

from collections.abc import Iterable
from operator import itemgetter

from active_workflow.store.fetched import Fetched, Row

_EXECUTION, _STEP = 0, 1
_FOUND = (
    *("execution_id", "name", "state", "result", "patch", "error", "correlation_id", "heartbeat", "story"),
    *("position", "seq", "attempts", "started_at", "finished_at", "waiting_since", "timeout_at"),
    "heartbeat_at",
)
"""The columns of a step's row as the statement gives them, behind the kind."""
_as_step = itemgetter(
    *(
        1 + _FOUND.index(name)
        for name in (
            *("execution_id", "name", "position", "state", "seq", "attempts", "result", "patch", "error"),
            *("started_at", "finished_at", "waiting_since", "timeout_at", "correlation_id"),
            *("heartbeat_at", "heartbeat", "story"),
        )
    )
)
_as_signal = itemgetter(10, 2, 3, 4, 11)
"""Number, name, payload, key and time of a signal."""


def sorted_out(rows: Iterable[Row]) -> Fetched:
    """Give the rows of the one statement by kind and execution."""
    fetched = Fetched()
    for row in rows:
        kind, id = row[0], row[1]
        if kind == _EXECUTION:
            fetched.executions[id] = row[1:]
        elif kind == _STEP:
            fetched.steps[id].append(_as_step(row))
        else:
            fetched.signals[id].append(_as_signal(row))
    for signals in fetched.signals.values():
        signals.sort()
    return fetched
