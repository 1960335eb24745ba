"""Small clusters keep every invariant in every state there is; see active_workflow/testing/statespace."""

import os
import subprocess
import sys

import pytest

from active_workflow.store import memory
from active_workflow.testing.statespace.configurations import CONFIGURATIONS, Configuration
from active_workflow.testing.statespace.search import explore_states

SMALL = [each for each in CONFIGURATIONS if not each.large]
FEWEST = 400
"""A configuration with fewer states explores nothing worth it."""


@pytest.mark.slow
@pytest.mark.parametrize("configuration", SMALL, ids=lambda configuration: configuration.name)
def test_every_state_is_lawful_and_leads_to_rest(request, configuration: Configuration) -> None:
    explored = explore_states(configuration)
    request.config.pluginmanager.get_plugin("terminalreporter").write_line(f"\nexplored: {explored}")
    assert explored.finding is None, explored.finding
    assert explored.complete
    assert explored.states >= FEWEST


def test_a_state_out_of_which_no_way_leads_is_found(monkeypatch) -> None:
    def only_when_due(row):
        return row.due_at if row.lease_until is None else None

    monkeypatch.setattr(memory._Row, "claimable_at", property(only_when_due))
    finding = explore_states(SMALL[0]).finding
    assert finding is not None
    assert finding.splitlines()[-1].endswith("INV1: from here it never comes to rest")
    assert "dies" in finding or "crash" in finding


def test_the_search_tells_when_it_stopped_early() -> None:
    explored = explore_states(SMALL[0], limit=50)
    assert not explored.complete
    assert "not all" in str(explored)


def test_every_process_finds_the_same_states() -> None:
    command = [sys.executable, "-m", "active_workflow.testing.statespace", "pause"]
    counts = {
        subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout.partition(" deep")[0]
        for seed in ("1", "2")
    }
    assert len(counts) == 1
    assert "states" in counts.pop()
