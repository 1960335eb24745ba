"""Every store call of every scenario goes wrong once, in each way, on real stores; see ``sweeping``."""

import os
from collections.abc import Iterator

import pytest

from active_workflow.engine import scheduler
from tests.sweep.faulty import DEATHS, EXCEPTIONS
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.sweeping import Fault, Sweep

STORES = {
    "sqlite": lambda _request, folder: f"sqlite:///{folder}/sweep.db",
    "postgres": lambda request, _folder: str(request.getfixturevalue("prepared_postgres_url")),
}
"""Each store's name and what gives the URL of an empty one: a further store joins by a line here."""


SERVERS = {"postgres"}
"""Those where a process takes long to begin: unless SWEEP=all, one dies there at every third call only."""
SHORT = os.environ.get("SWEEP") != "all"


@pytest.fixture(params=list(STORES))
def sweep(request, tmp_path) -> Iterator[Sweep]:
    made = Sweep(STORES[request.param](request, tmp_path), tmp_path)
    made.short = SHORT and request.param in SERVERS
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*EXCEPTIONS, *DEATHS])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_store_call_goes_wrong_once(sweep: Sweep, name: str, kind: str) -> None:
    calls = sweep.calls(name)
    first, step = (1 + list(SCENARIOS).index(name) % 3, 3) if sweep.short and kind in DEATHS else (1, 1)
    for at in range(first, len(calls) + 1, step):
        try:
            sweep.run(name, Fault(kind, at))
        except Exception as error:
            error.add_note(f"{name}: {kind} with store call {at} of {len(calls)}, {calls[at - 1]}")
            raise


@pytest.mark.parametrize("sweep", ["sqlite"], indirect=True)
def test_the_sweep_finds_a_worker_that_forgets_what_it_could_not_record(sweep: Sweep, monkeypatch) -> None:
    def forgetful(self, changes):
        for change in changes:
            self._holdings.drop(change.id)

    monkeypatch.setattr(scheduler.Scheduler, "commit_unknown", forgetful)
    with pytest.raises(AssertionError, match="more than 0 calls in vain"):
        for at in range(1, len(sweep.calls("a saga that fails")) + 1):
            sweep.run("a saga that fails", Fault("fails before", at))


@pytest.mark.parametrize("sweep", ["sqlite"], indirect=True)
def test_a_fault_that_does_not_happen_is_no_proof(sweep: Sweep) -> None:
    with pytest.raises(AssertionError, match="the fault did not happen"):
        sweep.run("a saga that goes well", Fault("fails before", 1_000))
