"""What every test shares: slow folders are marked slow, and missing services are told loudly."""

from pathlib import Path

import pytest

from tests.servers.fixtures import (  # noqa: F401 - for all tests
    postgres_proxy,
    postgres_server,
    postgres_url,
    prepared_postgres_url,
)
from tests.services import MISSING

TESTS = Path(__file__).parent
SLOW = [TESTS / "crash"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in SLOW):
            item.add_marker("slow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        terminalreporter.section("MISSING SERVICES", red=True, bold=True)
        for service, tests in sorted(MISSING.items()):
            terminalreporter.write_line(f"{service}: {tests} tests could not run", red=True)
