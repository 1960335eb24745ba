"""Servers that some tests need. Where one is missing, its tests skip here and fail in CI, never in silence.

A fixture asks once, by name and by the environment variable that holds the server's URL::

    @pytest.fixture
    def mysql_url() -> str:
        return need("MySQL", "TEST_MYSQL_URL")

Servers that a test run starts for itself are in `tests/servers`.
"""

import os
from collections import Counter
from typing import Final, NoReturn

import pytest

MISSING: Final[Counter[str]] = Counter()
"""How many tests asked for each missing service; `conftest.py` prints it."""


def need(service: str, variable: str) -> str:
    """The service's URL; without one the test ends here."""
    url = os.environ.get(variable)
    if not url:
        missing(f"{service} ({variable})", f"{service} is missing: set {variable} to its URL")
    return url


def missing(service: str, told: str) -> NoReturn:
    """End the test for want of a service, and remember it for the summary."""
    MISSING[service] += 1
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)
