"""Copies of a whole small world: pickled at once, so that what is one object stays one object."""

import io
import pickle
import threading
from itertools import count
from random import Random
from typing import Any

from active_workflow.core.plan import Plan
from active_workflow.testing.statespace.configurations import Configuration

_CONSTANT = (Plan, Random, Configuration)
"""Classes of what never changes here: shared by all copies."""
_LOCK = type(threading.RLock())
_constants: dict[int, Any] = {}


def freeze(world: object) -> bytes:
    """Give a copy of a world that nothing can change any more."""
    file = io.BytesIO()
    _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(world)
    return file.getvalue()


def thaw(frozen: bytes) -> Any:
    """Give the world that was frozen; a new one each time."""
    return pickle.loads(frozen)  # noqa: S301 - frozen a moment ago, in this process


def _constant(number: int) -> Any:
    return _constants[number]


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, _CONSTANT):
            _constants[id(obj)] = obj
            return _constant, (id(obj),)
        if type(obj) is _LOCK:
            return threading.RLock, ()
        if type(obj) is count:  # its own way is on its way out of Python
            return count, (int(repr(obj).removeprefix("count(").removesuffix(")")),)
        return NotImplemented
