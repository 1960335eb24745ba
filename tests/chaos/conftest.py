"""What the kill tests share; their modules say which workflows run (``FLOWS``), and where (``STORES``)."""

import importlib
from contextlib import closing

import pytest

from tests.chaos.scene import Workers, make_clocks
from tests.chaos.sites import SITES
from tests.ledger import Ledger
from tests.services import missing


def pytest_generate_tests(metafunc):
    if "site" in metafunc.fixturenames:
        metafunc.parametrize("site", metafunc.module.STORES, indirect=True)


@pytest.fixture
def site(request, tmp_path):
    """A store, and what can be done to it."""
    kind = SITES[request.param]
    if lacking := kind.missing(()):
        missing(f"killed workers on {request.param}", lacking)
    with closing(kind(tmp_path, make_clocks(tmp_path), ())) as site:
        yield site


@pytest.fixture
def workers(request, site, tmp_path):
    with closing(Workers(site, tmp_path, Ledger(tmp_path / "ledger"), request.module.FLOWS)) as workers:
        yield workers


@pytest.fixture
def flows(request, tmp_path, monkeypatch):
    """The workflows, as this process sees them; it runs none of them."""
    monkeypatch.setenv("CHAOS_LEDGER", str(tmp_path / "ledger"))
    return importlib.import_module(request.module.FLOWS)
