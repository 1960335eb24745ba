"""The pytest plugin: an engine and a clock for tests of workflows. Loaded by itself where pytest runs.

It is imported at every start of pytest, so it imports nothing of the engine before a fixture is used.
"""

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from active_workflow.engine.engine import Engine
    from active_workflow.testing.virtual import VirtualClock

# The contracts' asserts explain themselves only if pytest rewrites them, before they are imported.
pytest.register_assert_rewrite(
    "active_workflow.testing.store_contract", "active_workflow.testing.dispatcher_contract"
)


@pytest.fixture
def workflow_clock() -> "VirtualClock":
    """A clock that stands until the test moves it: ``.now``, ``.advance("30m")``, ``.advance_to(at)``."""
    clock: VirtualClock = import_module("active_workflow.testing.virtual").VirtualClock()
    return clock


@pytest.fixture
def workflow_engine(workflow_clock: "VirtualClock") -> "Iterator[Engine]":
    """An engine in memory that runs nothing until ``run_until_idle``, by ``workflow_clock``.

    During the test it is the engine of this process: ``Checkout.start(…)`` uses it.
    """
    with import_module("active_workflow.testing.virtual").virtual_engine(workflow_clock) as engine:
        yield engine
