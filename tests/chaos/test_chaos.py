"""The short form of `make chaos`: each store under faults for a few seconds, each fault at least once."""

import os

import pytest

from tests.chaos.run import run
from tests.chaos.sites import SITES
from tests.services import missing

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

CASES = [
    ("sqlite", "kill", 4),
    ("sqlite", "pause+clock+lock", 4),
    ("sqlite", "disk", 2),
    *(
        (store, faults, seconds)
        for store in ("postgres", "mariadb", "redis")
        for faults, seconds in (
            ("kill", 4),
            ("restart+terminate+cut+silence", 4),
            ("pause+clock+skew+lock", 4),
            ("disk", 2),
        )
    ),
]
ENOUGH_KILLS = 5


@pytest.mark.parametrize(("store", "faults", "seconds"), CASES)
def test_nothing_is_lost_or_recorded_twice(store, faults, seconds, record_property):
    names = faults.split("+")
    if lacking := SITES[store].missing(names):
        missing(f"chaos: {store} under {faults}", lacking)
    result = run(store, names, seconds=seconds, seed=int(os.environ.get("CHAOS_SEED", "20")))
    record_property("chaos", str(result))
    assert result.clean, str(result)
    assert result.executions > 20, str(result)
    assert faults != "kill" or result.injected >= ENOUGH_KILLS, str(result)
