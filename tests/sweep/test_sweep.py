"""Every store call of every scenario goes wrong once, in each way, on real stores; see ``sweeping``."""

from collections.abc import Iterator

import pytest

from active_workflow.engine import held, scheduler
from tests.sweep.faulty import DEATHS, EXCEPTIONS
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.sweeping import Fault, Sweep

STORES = {
    "sqlite": lambda _server, folder: f"sqlite:///{folder}/sweep.db",
    "postgres": lambda server, _folder: server("postgres_server").new_database(),
    "mariadb": lambda server, _folder: server("mariadb_server").new_database(),
    "redis": lambda server, _folder: server("redis_server").url(1),
}
"""Each store's name and what gives the URL of an empty one: a further store joins by a line here."""


@pytest.fixture(scope="module", params=list(STORES))
def sweep(request, tmp_path_factory) -> Iterator[Sweep]:
    folder = tmp_path_factory.mktemp("sweep")
    made = Sweep(STORES[request.param](request.getfixturevalue, folder), folder)
    yield made
    made.close()
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    if made.points and terminal is not None:
        terminal.write_line(f"\nsweep: {made.points} faults over {request.param}, {made.seconds:.0f} s")


ON_SQLITE = pytest.mark.parametrize("sweep", ["sqlite"], indirect=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*EXCEPTIONS, *DEATHS])
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_store_call_goes_wrong_once(sweep: Sweep, name: str, kind: str) -> None:
    fail_everywhere(sweep, name, kind)


def fail_everywhere(sweep: Sweep, name: str, kind: str) -> None:
    calls = sweep.calls(name)
    for at in range(1, len(calls) + 1):
        try:
            sweep.run(name, Fault(kind, at))
        except Exception as error:
            error.add_note(f"{name}: {kind} with store call {at} of {len(calls)}, {calls[at - 1]}")
            raise


@ON_SQLITE
def test_the_sweep_finds_a_worker_that_forgets_what_it_could_not_record(sweep: Sweep, monkeypatch) -> None:
    def forgetful(self, changes):
        for change in changes:
            self._holdings.drop(change.id)

    monkeypatch.setattr(scheduler.Scheduler, "commit_unknown", forgetful)
    with pytest.raises(AssertionError, match="more than 0 calls in vain"):
        fail_everywhere(sweep, "a saga that fails", "fails before")


@pytest.mark.slow
@ON_SQLITE
def test_the_sweep_finds_a_worker_that_does_not_count_what_a_dead_one_began(
    sweep: Sweep, monkeypatch
) -> None:
    monkeypatch.setattr(held.Held, "attempts", lambda self: frozenset())
    with pytest.raises(AssertionError, match="the same attempt twice"):
        fail_everywhere(sweep, "a saga that fails", "dies after")


@ON_SQLITE
def test_a_fault_that_does_not_happen_is_no_proof(sweep: Sweep) -> None:
    with pytest.raises(AssertionError, match="the fault did not happen"):
        sweep.run("a saga that goes well", Fault("fails before", 1_000))
