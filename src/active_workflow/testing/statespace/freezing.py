"""Copies of a whole small world: pickled at once, so that what is one object stays one object."""

import io
import pickle
import threading
from itertools import count
from typing import Any

_LOCK = type(threading.RLock())


class Freezer:
    """Freezes worlds.

    Args:
        constant: Classes of what never changes: that is shared by all worlds, and not copied.
    """

    def __init__(self, constant: tuple[type, ...]) -> None:
        self._constant = constant
        self._shared: dict[int, Any] = {}

    def freeze(self, world: object) -> bytes:
        """Give a copy of a world that nothing can change any more."""
        file = io.BytesIO()
        _Pickler(file, self._constant, self._shared).dump(world)
        return file.getvalue()

    def thaw(self, frozen: bytes) -> Any:
        """Give the world that was frozen; a new one each time."""
        return _Unpickler(io.BytesIO(frozen), self._shared).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, constant: tuple[type, ...], shared: dict[int, Any]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._constant = constant
        self._shared = shared

    def persistent_id(self, obj: Any) -> int | None:
        if not isinstance(obj, self._constant):
            return None
        self._shared[id(obj)] = obj
        return id(obj)

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is _LOCK:
            return threading.RLock, ()
        if type(obj) is count:  # its own way is on its way out of Python
            return count, (int(repr(obj).removeprefix("count(").removesuffix(")")),)
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, shared: dict[int, Any]) -> None:
        super().__init__(file)
        self._shared = shared

    def persistent_load(self, pid: Any) -> Any:
        return self._shared[pid]
