"""Every store call of every scenario goes wrong once, in each way, on real stores; see ``sweeping``."""

from collections.abc import Iterator

import pytest

from tests.sweep.faulty import DEATHS, EXCEPTIONS
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.sweeping import Fault, Sweep

STORES = {
    "sqlite": lambda _request, folder: f"sqlite:///{folder}/sweep.db",
    "postgres": lambda request, _folder: str(request.getfixturevalue("prepared_postgres_url")),
}
"""Each store's name and what gives the URL of an empty one: a further store joins by a line here."""


@pytest.fixture(params=list(STORES))
def sweep(request, tmp_path) -> Iterator[Sweep]:
    made = Sweep(STORES[request.param](request, tmp_path), tmp_path)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*EXCEPTIONS, *DEATHS])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_store_call_goes_wrong_once(sweep: Sweep, name: str, kind: str) -> None:
    calls = sweep.calls(name)
    for at in range(1, len(calls) + 1):
        try:
            sweep.run(name, Fault(kind, at))
        except Exception as error:
            error.add_note(f"{name}: {kind} with store call {at} of {len(calls)}, {calls[at - 1]}")
            raise
