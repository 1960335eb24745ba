"""A whole cluster under seeded faults keeps every invariant; see active_workflow/testing/simulation."""

import os
import subprocess
import sys

import pytest

from active_workflow.testing.simulation import simulate, story_of

QUICK = 300
CHUNK = 500
SLOW = [range(first, first + CHUNK) for first in range(QUICK, QUICK + 9 * CHUNK, CHUNK)]


def check(seeds: range) -> None:
    for seed in seeds:
        finding = simulate(seed)
        assert finding is None, (
            f"\n{finding}\nrun `python -m active_workflow.testing.simulation --seeds {seed}`"
        )


def test_a_few_hundred_seeds() -> None:
    check(range(QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", SLOW, ids=lambda seeds: f"{seeds.start}-{seeds.stop}")
def test_some_thousand_seeds(seeds: range) -> None:
    check(seeds)


def test_a_seed_tells_the_same_story_each_time() -> None:
    assert [story_of(seed) for seed in range(20)] == [story_of(seed) for seed in range(20)]


def test_a_seed_tells_the_same_story_in_every_process() -> None:
    code = (
        "from hashlib import sha256; from active_workflow.testing.simulation import story_of\n"
        "print(sha256(''.join(story_of(seed) for seed in range(20)).encode()).hexdigest())"
    )
    stories = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    }  # fmt: skip
    assert len(stories) == 1
