"""The engine of this process: the one that ``configure`` makes, or a plain one when first needed."""

import atexit
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Unpack

from active_workflow.core.states import STALLED, State
from active_workflow.dsl.client import set_client
from active_workflow.dsl.current import running
from active_workflow.engine.engine import Engine
from active_workflow.engine.notices import notifier
from active_workflow.engine.options import EngineOptions
from active_workflow.errors import MisuseError, StoreError
from active_workflow.store import MemoryStore

_log = logging.getLogger("active_workflow")
_lock = threading.RLock()
_engines: list[Engine] = []
"""Holds the engine of this process, if there is one."""

UNFINISHED = tuple(state for state in State if not state.terminal and state not in STALLED)
MOST_COUNTED = 1000
LAST_WORDS = 1.0
"""Seconds that subscribers are given when the process ends."""


def configure(store: Any = None, **options: Unpack[EngineOptions]) -> Engine:
    """Set up the engine of this process; called again, it closes the one it replaces.

    Args:
        store: A store or its URL: ``"sqlite:///workflows.db"``, ``"memory://"``, …
        options: As ``Engine`` takes them.

    Returns:
        The engine, which the module's functions and ``Flow.start`` now use.

    Raises:
        ConfigurationError: Something can't be used; the engine there was stays.
    """
    return use(Engine(store, **options))


def use(engine: Engine) -> Engine:
    """Make an engine the one of this process, and close the one it replaces."""
    if running() is not None and _engines:
        raise MisuseError("configure() in a step would close the engine that runs it: call it before start")
    with _lock:
        replaced = [old for old in _engines if old is not engine]
        _engines[:] = [engine]
        set_client(engine)
    for old in replaced:
        old.close()
    return engine


@contextmanager
def stand_in(engine: Engine) -> Iterator[Engine]:
    """Have an engine be the one of this process for a while; the one it stands in for stays open.

    What is configured meanwhile is closed in the end, the engine given here is not.
    """
    with _lock:
        before, _engines[:] = list(_engines), [engine]
        set_client(engine)
    try:
        yield engine
    finally:
        with _lock:
            meanwhile = [one for one in _engines if one is not engine]
            _engines[:] = before
            set_client(before[0] if before else None)
        for one in meanwhile:
            one.close()


def configured_engine() -> Engine | None:
    """Give the engine of this process, if there is one; never makes one."""
    with _lock:
        return _engines[0] if _engines else None


def close() -> None:
    """Close the engine of this process and forget it; nothing is said of what waits."""
    with _lock:
        found = list(_engines)
        _engines.clear()
        set_client(None)
    for one in found:
        one.close()


def engine() -> Engine:
    """Give the engine of this process; an unconfigured one is made at first use."""
    with _lock:
        return _engines[0] if _engines else configure()


def _after_fork() -> None:
    """Make a new lock in a child: a thread that it doesn't have may have held the one there was."""
    global _lock  # noqa: PLW0603
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _at_exit() -> None:
    """Let running steps end in order; a second Ctrl-C meanwhile ends at once, and without a traceback."""
    try:
        _end_in_order()
    except KeyboardInterrupt:
        _say("stopped at once: what still ran is left for another worker")


def _end_in_order() -> None:
    """Drain, and say what is left for another process."""
    with _lock:
        found = list(_engines)
        _engines.clear()
    for one in found:
        try:
            worked = one.has_worked
            one.drain()
            if worked and not isinstance(one.store, MemoryStore):
                _tell_what_waits(one)
            one.close()
        except StoreError as error:
            _log.warning("could not end in order: %s", error)
    notifier.flush(LAST_WORDS)


def _tell_what_waits(one: Engine) -> None:
    waiting = sum(1 for _ in one.find(state=UNFINISHED, limit=MOST_COUNTED))
    if waiting:
        more = "+" if waiting == MOST_COUNTED else ""
        count = f"{waiting}{more} execution{'' if waiting == 1 else 's'}"
        _say(f"{count} unfinished in the store; run with: active-workflow worker <module>")


def _say(text: str) -> None:
    """Tell whoever watches the process end."""
    print(f"active_workflow: {text}", file=sys.stderr)  # noqa: T201
