"""What every test shares: what needs a server or is large is slow, and missing services are told loudly."""

import pytest

from tests.servers.fixtures import (  # noqa: F401 - for all tests
    mariadb_proxy,
    mariadb_server,
    mysql_url,
    oldest_postgres_server,
    oldest_postgres_url,
    postgres_proxy,
    postgres_server,
    postgres_url,
    prepared_mysql_url,
    prepared_oldest_postgres_url,
    prepared_postgres_url,
    prepared_redis_url,
    redis_proxy,
    redis_server,
    redis_url,
)
from tests.services import MISSING

LARGE = "test_ten_thousand_through_their_whole_life"
"""One of the shipped contract's; it takes seconds where ten thousand rows are really written."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        large = item.name == LARGE and "Memory" not in item.nodeid
        if large or item.get_closest_marker("services"):
            item.add_marker("slow")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if MISSING:
        terminalreporter.section("MISSING SERVICES", red=True, bold=True)
        for service, tests in sorted(MISSING.items()):
            terminalreporter.write_line(f"{service}: {tests} tests could not run", red=True)
